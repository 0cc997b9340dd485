// biome-ignore-all lint/suspicious/noTemplateCurlyInString: NGINX writes its variables so.
/** The words of a configuration as NGINX cuts them; any text at all is read to an end, with a fault or without. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireNginx } from '@edgeward/test/kit';
import t from 'tap';
import { type Configuration, type Directive, readDump } from '../../driver/review/configuration.ts';
import { discoverServers } from '../../driver/review/discovery.ts';
import { matchesInclude } from '../../driver/review/include-pattern.ts';
import { reviewDump } from '../../driver/review/review.ts';

const dumpOf = (text: string, more: Record<string, string> = {}): string =>
  Object.entries({ '/etc/nginx/nginx.conf': text, ...more })
    .map(([name, inside]) => `# configuration file ${name}:\n${inside}\n`)
    .join('');
const read = (text: string, more: Record<string, string> = {}): Configuration => readDump(dumpOf(text, more));
const shape = (directives: readonly Directive[]): unknown[] =>
  directives.map(({ name, args, block }) => (block === null ? [name, ...args] : [name, ...args, shape(block)]));

const words: [string, string, unknown[]][] = [
  ['plain words', 'a b\tc\n d;', [['a', 'b', 'c', 'd']]],
  ['quotes, and what is in them', `a "b c" 'd;{}# e';`, [['a', 'b c', 'd;{}# e']]],
  ['a quote in a word is a character', `a b"c d";`, [['a', 'b"c', 'd"']]],
  ['escapes', String.raw`a "b\"c" \"d \\e f\tg \d+\.x;`, [['a', 'b"c', '"d', '\\e', 'f\tg', '\\d+\\.x']]],
  ['an escaped blank stays, with its backslash', 'a b\\ c;', [['a', 'b\\ c']]],
  [
    'a variable in braces',
    'set $a x${b}y; set ${c} "{$d}";',
    [
      ['set', '$a', 'x${b}y'],
      ['set', '${c}', '{$d}'],
    ],
  ],
  ['a brace in a word ends it', 'a b{ c; }', [['a', 'b', [['c']]]]],
  ['a closing brace in a word is one of it', 'a b}c;', [['a', 'b}c']]],
  ['a condition', 'if ($a = "b") { return 403; }', [['if', '($a', '=', 'b', ')', [['return', '403']]]]],
  [
    'comments',
    '# a; {\na b; # c\n#}\nd "#e" f#g;',
    [
      ['a', 'b'],
      ['d', '#e', 'f#g'],
    ],
  ],
  ['a regular expression', String.raw`location ~ "^/a{2}/\.(x|y)$" { }`, [['location', '~', '^/a{2}/\\.(x|y)$', []]]],
  [
    'Lua, whose braces are its own',
    `x_by_lua_block { local a = "}" -- }\n b = [[}]] c = {'}'} } d;`,
    [['x_by_lua_block', []], ['d']],
  ],
  ['Lua comments of several lines', 'x_by_lua_block { --[==[ } ]] ]==] } d;', [['x_by_lua_block', []], ['d']]],
];

t.test('words are cut as NGINX cuts them', async (t) => {
  for (const [claim, text, expected] of words) {
    const { root, faults } = read(text);
    t.strictSame([shape(root), faults], [expected, []], claim);
  }
});

t.test('NGINX itself cuts them so: what a map of it answers', async (t) => {
  const binary = await requireNginx(t);
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-words-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'nginx.conf');
  const accepts = async (text: string): Promise<boolean> => {
    await writeFile(file, `pid x.pid; events {} http { access_log off; ${text}\n}`);
    const [program = '', ...args] = binary.command;
    const flags = ['-t', '-q', '-e', 'stderr', '-p', folder, '-c', file];
    return await promisify(execFile)(program, [...args, ...flags]).then(
      () => true,
      () => false,
    );
  };
  const texts = [
    'map $uri $a { default "a;b"; }',
    'map $uri $a { default a"; }',
    'map $uri $a { default "a"b; }',
    'map $uri $a { default "a; }',
    'map $uri $a { default a\\;b; }',
    'map $uri $a { default a{b; }',
    'map $uri $a { default ${uri}b; }',
    'map $uri $a { default a}b; }',
    'map $uri $a { default a #b; }\n; }',
    'map $uri $a { default a#b; }',
    'map $uri $a { default a }',
    'map $uri $a { { }',
    'map $uri $a { ; }',
    `map $uri $a { default ${'x'.repeat(4000)}; }`,
    `map $uri $a { default ${'x'.repeat(5000)}; }`,
    'map $uri $a { default "a" ; } }',
    "map $uri $a { default 'a\\'b'; }",
  ];
  for (const text of texts) {
    const faults = read(`http { ${text}\n}`).faults.map(({ problem }) => problem);
    t.equal(faults.length === 0, await accepts(text), `${text.slice(0, 60)} ${faults.join()}`);
  }
});

t.test('every include stands in its place, with its file and line', async (t) => {
  const main = 'include mime.types;\nhttp {\n  include conf.d/*.conf;\n  c 3;\n}';
  const more = {
    '/etc/nginx/mime.types': 'm;',
    '/etc/nginx/conf.d/b.conf': 'b 2;',
    '/etc/nginx/conf.d/a.conf': '\na 1;',
  };
  const { root, faults, files } = read(main, more);
  t.strictSame(
    [shape(root), faults],
    [
      [
        ['m'],
        [
          'http',
          [
            ['a', '1'],
            ['b', '2'],
            ['c', '3'],
          ],
        ],
      ],
      [],
    ],
  );
  t.match(root[1]?.block, [{ file: '/etc/nginx/conf.d/a.conf', line: 2 }, { line: 1 }, { line: 4 }]);
  t.equal(files.length, 4);
});

t.test('which files a pattern takes', async (t) => {
  const cases: [string, string, boolean][] = [
    ['/e/*.conf', '/e/a.conf', true],
    ['/e/*.conf', '/e/.conf', false],
    ['/e/*.conf', '/e/d/a.conf', false],
    ['/e/*/a', '/e/d/a', true],
    ['/e/?[a-c].c*', '/e/xb.conf', true],
    ['/e/[!a]', '/e/a', false],
    ['/e/[!a]', '/e/b', true],
    ['/e/a\\*', '/e/a*', true],
    ['/e/a\\*', '/e/ab', false],
    ['/e/*a*b*', '/e/xxaxxbxx', true],
    ['/e/*a*b*', '/e/xxbxxa', false],
    [`/e/${'*a'.repeat(40)}b`, `/e/${'a'.repeat(200)}`, false],
  ];
  for (const [pattern, path, expected] of cases) t.equal(matchesInclude(pattern, path), expected, `${pattern} ${path}`);
});

t.test('what can not be read is told, and never passed over', async (t) => {
  const faulty: [string, Configuration][] = [
    ['a file that is not in the dump', read('include /etc/nginx/gone.conf;')],
    ['a file that nothing includes', read('a;', { '/etc/nginx/x.conf': 'b;' })],
    ['a file twice: a comment that looks like its beginning', readDump(`${dumpOf('a;')}${dumpOf('b;')}`)],
    ['a file that includes itself', read('include nginx.conf;')],
    ['a block that never closes', read('http { a;')],
    ['a brace too many', read('http { } }')],
    ['depth', read(`${'a {'.repeat(200)}${'}'.repeat(200)}`)],
    ['half a directive', read('a b')],
    ['Lua that never closes', read('x_by_lua_block { "')],
  ];
  for (const [claim, { faults }] of faulty) t.ok(faults.length > 0, claim);
  const { findings } = reviewDump({ dump: dumpOf('http { a;'), policy: null, denyLog: null, open: [] });
  t.match(
    findings.filter(({ severity }) => severity === 'unknown'),
    [{ code: 'EDW_WARN_NGINX_NOT_READ' }],
  );
});

t.test('any text at all is read to an end, and the same text to the same one', async (t) => {
  const runs = Number(process.env.EDGEWARD_RUNS ?? 0) || 1500;
  const seed = Number(process.env.EDGEWARD_SEED ?? 0) || Math.floor(Math.random() * 2 ** 31);
  t.comment(`EDGEWARD_SEED=${seed}`);
  const random = generator(seed);
  for (let run = 0; run < runs; run += 1) {
    const text = hostile(random);
    const input = { dump: text, policy: null, denyLog: null, open: [] };
    try {
      const review = reviewDump(input);
      if (JSON.stringify(reviewDump(input)) !== JSON.stringify(review)) t.fail(`differs: ${JSON.stringify(text)}`);
      discoverServers(text);
    } catch (error) {
      t.fail(`${error} for ${JSON.stringify(text)}`);
      return;
    }
  }
  t.pass(`${runs} texts`);
});

const PIECES = [
  ...'{ } ; # " \' \\ $ ${ ${{ ( ) \n \r\n \t \u0000 \ufeff é 𝒳'.split(' '),
  ...[
    '# configuration file /etc/nginx/nginx.conf:\n',
    '# configuration file /etc/nginx/a.conf:\n',
    'include *;',
    'include a.conf;',
  ],
  ...[
    'http {',
    'stream {',
    'server {',
    'location @a {',
    'location / {',
    'listen [::]:443 quic;',
    'listen 99999;',
    'listen;',
  ],
  ...['if ($edgeward_denied) { return 403 x; }', 'if ($edgeward_verdict = deny) {', 'set $edgeward_server a;', 'set'],
  ...['set $edgeward_port 0;', 'return;', 'rewrite a;', 'break;', 'error_page 400 @a;', 'error_page;', 'upstream u {'],
  ...[
    'proxy_pass http://u;',
    'proxy_pass;',
    'proxy_pass $x;',
    'set_real_ip_from 0.0.0.0/0;',
    'set_real_ip_from 1.2.3.4/9;',
  ],
  ...['set_real_ip_from ::1/x;', 'set_real_ip_from;', 'real_ip_header;', 'js_shared_dict_zone zone=edgeward:1m evict;'],
  ...[
    'js_shared_dict_zone;',
    'x_by_lua_block {',
    '--[[',
    ']]',
    'map $edgeward_verdict $edgeward_denied {',
    'default 0;',
    ' ',
  ],
  ...[
    'js_var $edgeward_deny_log /x;',
    'access_log;',
    'log_format x $edgeward_ref;',
    'server_name ~^(;',
    'server_name a b;',
    'js_access edgeward.streamVerdict;',
    'js_preread edgeward.streamPush;',
    'listen 53 udp;',
  ],
];

function hostile(random: (below: number) => number): string {
  const pieces = ['# configuration file /etc/nginx/nginx.conf:\n'];
  const length = random(60);
  for (let at = 0; at < length; at += 1) pieces.push(PIECES[random(PIECES.length)] ?? '', random(3) === 0 ? ' ' : '');
  return pieces.join('');
}

/** mulberry32 */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
