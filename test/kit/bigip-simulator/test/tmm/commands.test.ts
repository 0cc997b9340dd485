import t from 'tap';
import { contentOf, request, type Stage, setStage, skip } from './stage.ts';

interface Claims {
  equal(found: unknown, wanted: unknown, claim: string): unknown;
  match(found: unknown, wanted: RegExp, claim: string): unknown;
}

/** What commands answer in HTTP_REQUEST of one connection each, as text; errors are what `catch` says. */
async function evaluate(stage: Stage, scripts: readonly string[]): Promise<string[]> {
  const answers: string[] = [];
  for (const [index, script] of scripts.entries()) {
    const name = `/Common/r${index}`;
    await stage.rule(
      name,
      `when HTTP_REQUEST { set failed [catch { ${script} } answer]; if { $failed } { set answer "error: $answer" }; HTTP::respond 200 content $answer noserver }`,
    );
    await stage.virtual('/Common/v', { rules: [name] });
    answers.push(contentOf((await stage.ask('/Common/v', request('/a/b?c=d'))).text));
  }
  return answers;
}

async function claims(t: Claims, stage: Stage, cases: [string, string | RegExp][]): Promise<void> {
  const answers = await evaluate(
    stage,
    cases.map(([script]) => script),
  );
  for (const [index, [script, expected]] of cases.entries()) {
    if (typeof expected === 'string') t.equal(answers[index], expected, script);
    else t.match(answers[index], expected, script);
  }
}

t.test('strings: getfield, findstr, substr, URI, base 64 and digests', { skip }, async (t) => {
  await claims(t, await setStage(t), [
    ['getfield "a:b:c" : 2', 'b'],
    ['getfield "a::b::c" :: 3', 'c'],
    ['getfield "10.0.0.1%2" % 1', '10.0.0.1'],
    ['getfield abc : 1', 'abc'],
    ['getfield abc : 2', ''],
    ['findstr "user=me;x" user= 5 ";"', 'me'],
    ['findstr "user=me;x" user= 5', 'me;x'],
    ['findstr "user=me;x" user=', 'user=me;x'],
    ['findstr abc z', ''],
    ['substr abcdef 2 3', 'cde'],
    ['substr "abc;def" 1 ";"', 'bc'],
    ['substr abc 1', 'bc'],
    ['URI::decode "/a%20b%2Fc%zz%"', '/a b/c%zz%'],
    ['URI::encode "a b/%"', 'a%20b%2f%25'],
    ['URI::path "http://x/a/b/c.html?q"', '/a/b/'],
    ['URI::basename "/a/b/c.html?q"', 'c.html'],
    ['URI::query "/a?b=c&d=e%20f" d', 'e%20f'],
    ['URI::query "/a?b=c"', 'b=c'],
    [
      'list [URI::protocol https://x] [URI::host {https://u@[::1]:8/}] [URI::port https://x/] [URI::port http://x:81/]',
      'https {[::1]} 443 81',
    ],
    ['b64encode "\\x00\\xff"', 'AP8='],
    ['b64decode [b64encode hello]', 'hello'],
    ['b64decode "!"', ''],
    ['binary scan [md5 abc] H* hex; set hex', '900150983cd24fb0d6963f7d28e17f72'],
    ['binary scan [md5 [string repeat a 119]] H* hex; set hex', '8a7bd0732ed6a28ce75f6dabc90e1613'],
    ['binary scan [sha1 abc] H* hex; set hex', 'a9993e364706816aba3e25717850c26c9cd0d89d'],
    ['binary scan [sha256 ""] H* hex; set hex', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['crc32 "123456789"', '3421780262'],
  ]);
});

t.test('strings are bytes', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.group('/Common/g', 'string', { é: 'ü' });
  await claims(t, stage, [
    ['string length [URI::decode %c3%a9]', '2'],
    ['class match -value -- [URI::decode %c3%a9] equals g', Buffer.from('ü').toString('latin1')],
    ['string length [lindex [class names g] 0]', '2'],
    ['format %c 233', '\xe9'],
    ['set text "\\u20ac"', Buffer.from('€').toString('latin1')],
  ]);
});

t.test('addresses are compared and masked', { skip }, async (t) => {
  await claims(t, await setStage(t), [
    ['IP::addr 10.1.2.3 mask 255.255.0.0', '10.1.0.0'],
    ['IP::addr 10.1.2.3 equals 10.1.0.0/16', '1'],
    ['IP::addr 10.1.2.3/16 equals 10.2.0.0', '0'],
    ['IP::addr 10.1.2.3%2 equals 10.1.2.3', '0'],
    ['IP::addr 2001:db8::1 equals 2001:db8::/32', '1'],
    ['IP::addr 2001:db8:0:0:0:0:0:1 mask ffff:ffff::', '2001:db8::'],
    ['IP::addr ::FFFF:102:304', '::ffff:1.2.3.4'],
    ['IP::addr 2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['IP::addr ::ffff:1.2.3.4 mask 255.255.255.255', /^error: bad IP mask/],
    ['IP::addr 10.1.2.300 mask 255.255.255.255', /^error: bad IP network address/],
    ['IP::addr "" equals 10.0.0.1', /^error: bad IP network address/],
    ['IP::addr "1.2.3.4 " mask 255.255.255.255', /^error: bad IP network address/],
  ]);
});

t.test('clock, time of day and lists are those of Tcl', { skip }, async (t) => {
  await claims(t, await setStage(t), [
    ['clock format 0 -gmt 1 -format %Y-%m-%dT%H:%M:%S', '1970-01-01T00:00:00'],
    ['expr { [clock clicks -milliseconds] / 1000 - [clock seconds] < 2 }', '1'],
    ['set c clock; $c nonsense', /^error: bad option "nonsense"/],
    ['lsort -integer {3 1 2}', '1 2 3'],
    ['array set a {x 1}; set a(x)', '1'],
    ['expr { 010 + 1 }', '9'],
    ['expr { [HTTP::path] starts_with "/a" and not ([HTTP::path] contains "z") }', '1'],
  ]);
});

t.test('the table is one for all TMMs, with subtables, time-outs and counters', { skip }, async (t) => {
  const stage = await setStage(t);
  await claims(t, stage, [
    ['table set k v', 'v'],
    ['table lookup k', 'v'],
    ['table add k other', 'v'],
    ['table replace none x', ''],
    ['table incr n', '1'],
    ['table incr n 5', '6'],
    ['table incr -mustexist none', ''],
    ['table set -subtable s k1 v1; table set -subtable s k2 v2; lsort [table keys -subtable s]', 'k1 k2'],
    ['table keys -subtable s -count', '2'],
    ['table lookup -subtable s k1', 'v1'],
    ['table delete -subtable s -all; table keys -subtable s -count', '0'],
    ['table append k +', 'v+'],
    ['table delete k; table lookup k', ''],
    ['table set short x 0; table lookup short', ''],
    ['table set long x 10 20; list [table timeout long] [table lifetime long]', '10 20'],
    ['table nonsense k', /^error: bad option "nonsense"/],
  ]);
  await stage;
});

t.test('class finds, lists and walks, with the options and errors of a box', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.group('/Common/s', 'string', {
    '/a': 'one',
    '/a/b': 'two',
    '.html': 'page',
    '-dash': 'dashed',
    'two words': 'x y',
  });
  await stage.group('/Common/i', 'integer', { '1': 'one', '-5': 'minus', '300': 'many' });
  await stage.group('/Common/n', 'ip', {
    '10.0.0.0/8': 'ten',
    '10.1.0.0/16': 'ten-one',
    '10.1.2.3': 'host',
    '2001:db8::/32': 'six',
    '0.0.0.0/0': 'any',
  });
  await claims(t, stage, [
    ['class match /a equals s', '1'],
    ['class match /b equals /Common/s', '0'],
    ['class match -value /a/b/c starts_with s', 'two'],
    ['class match -name /a/b/c starts_with s', '/a/b'],
    ['class match -element /x.html ends_with s', '.html page'],
    ['class match -value "see two words here" contains s', 'x y'],
    ['class match -all -name /a/b/c starts_with s', '/a/b /a'],
    ['class match -value none equals s', ''],
    ['class match -index none equals s', '-1'],
    ['class match -index /a equals s', '2'],
    ['set part /a/; class search -name s starts_with $part', '/a/b'],
    ['set part wor; class search s contains $part', '1'],
    ['set part wor; class search s ends_with $part', '0'],
    ['class match -value -- -dash equals s', 'dashed'],
    [
      'class match -dash equals s',
      'error: bad option "-dash": must be -all, -index, -element, -list, -name, or -value',
    ],
    ['set c class; $c nonsense s', /^error: bad option "nonsense"/],
    ['class match a like s', /^error: bad operator "like"/],
    ['set n /Common/none; class match a equals $n', /^error: .*\/Common\/none/],
    ['class lookup /a s', 'one'],
    ['class lookup none s', ''],
    ['set n none; list [class exists s] [class exists $n]', '1 0'],
    ['list [class type s] [class type i] [class type n]', 'string integer ip'],
    ['class size s', '5'],
    ['class names s', '-dash .html /a /a/b {two words}'],
    ['class names s /a*', '/a /a/b'],
    ['class names -nocase s *TWO*', '{two words}'],
    ['class get s .*', '{.html page}'],
    ['class element 0 s', '-dash dashed'],
    ['class element -name 4 s', 'two words'],
    ['class element 9 s', ''],
    [
      'set id [class startsearch s]; set out {}; while { [class anymore s $id] } { lappend out [class nextelement -name s $id] }; class donesearch s $id; llength $out',
      '5',
    ],
    ['class nextelement s none', /^error: /],
    ['class match -value 300 equals i', 'many'],
    ['class match -value -- -5 equals i', 'minus'],
    ['class match x equals i', '0'],
    ['class match -value 10.1.2.3 equals n', 'host'],
    ['class match -value 10.1.9.9 equals n', 'ten-one'],
    ['class match -name 10.9.9.9 equals n', '10.0.0.0/8'],
    ['class match -value 11.9.9.9 equals n', 'any'],
    ['class match -name 2001:db8::9 equals n', '2001:db8::/32'],
    ['class match 2001:db9::9 equals n', '0'],
    ['class match 10.1.2.3%7 equals n', '0'],
    ['class match -all -value 10.1.2.3 equals n', 'host ten-one ten any'],
    ['class match nonsense equals n', /^error: bad IP network address/],
    ['class names n', '0.0.0.0/0 10.0.0.0/8 10.1.0.0/16 10.1.2.3/32 2001:db8::/32'],
    ['list [matchclass /a equals s] [matchclass none equals s]', '3 0'],
  ]);
});

t.test('every class command is counted, also one that fails', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.group('/Common/s', 'string', { a: 'b' });
  await evaluate(stage, [
    'class match a equals s',
    'class lookup a s; class size s',
    'set n none; class match a equals $n',
  ]);
  t.equal(await stage.plane.classLookups(), 4);
});
