/** What BIG-IP refuses as a rule is saved, in its own words. */
import t from 'tap';
import { loadRule } from '../../src/irule/load-rule.ts';
import type { NameLookup } from '../../src/irule/loaded-rule.ts';

const nothing: NameLookup = { has: () => false };

function refusal(text: string, names: NameLookup = nothing): string | null {
  const loading = loadRule('/P/r', text, names);
  return loading.state === 'refused' ? loading.message : null;
}

const first = (rest: string): string => `01070151:3: Rule [/P/r] error: ${rest}`;

/** Each in a handler of HTTP_REQUEST, on line 2. */
const BODIES: [claim: string, body: string, reason: string, shown?: string][] = [
  ['an unknown command', 'foo 1', 'undefined procedure: foo'],
  ['an unknown command inside catch', 'catch {tmsh::version} e', 'undefined procedure: tmsh::version', 'tmsh::version'],
  ['an unknown command in brackets', 'set x [hexa $name]', 'undefined procedure: hexa', 'hexa $name'],
  ['an unknown command in quotes', 'set x "a [hexa] b"', 'undefined procedure: hexa', 'hexa'],
  ['an unknown command in a condition', 'if {[hexa]} {}', 'undefined procedure: hexa', 'hexa'],
  ['an unknown command in an index', 'set x $a([hexa])', 'undefined procedure: hexa', 'hexa'],
  ['a bare word glued to a brace', 'if{1}{set x 1}', 'undefined procedure: if{1}{set'],
  ['a command of Tcl 8.5', 'dict set d a 1', 'undefined procedure: dict'],
  ['a literal head of uplevel', 'uplevel #0 dpn', 'undefined procedure: dpn', 'dpn'],
  ['a literal head of eval', 'eval dpn $x', 'undefined procedure: dpn', 'dpn $x'],
  ['a disabled command', 'namespace current', 'command is disabled: "namespace"'],
  ['a procedure in an event', 'proc p {} {return X}', 'command is not valid in the current scope'],
  ['a procedure in eval', 'eval {proc p {} {}}', 'command is not valid in the current scope', 'proc p {} {}'],
  ['when in an event', 'when HTTP_RESPONSE { }', 'command is not valid in the current scope'],
  ['a command of another event', 'HTTP::status', 'command is not valid in current event context (HTTP_REQUEST)'],
  ['too many words', 'set x {a}{b}', 'wrong # args'],
  ['too few words', 'set', 'wrong # args'],
  ['traces of Tcl 8.4', 'trace add variable v {read unset} f', 'wrong # args'],
  ['information about traces', 'trace info variable x', 'wrong # args'],
  ['if alone', 'if', 'missing an expression'],
  ['a condition alone', 'if {1}', 'missing a script after "if"'],
  ['a comment after if', 'if {1} { } # why', 'wrong # args'],
  ['else if as two words', 'if {0} {set a 1} else if {1} {set b 2}', 'wrong # args'],
  ['a comment after log', 'log local0. a # why', `"invalid 'local0.'; expected:-noname"`],
  ['a comment as the message of log', 'log local0. # not a comment', `"invalid 'local0.'; expected:-noname"`],
  ['event disable of one event', 'event disable HTTP_REQUEST', `"invalid 'HTTP_REQUEST'; expected:all"`],
  // From here on the wording is presumed.
  ['an unknown function', 'expr { F() }', 'unknown math function "F"', '{ F() }'],
  ['a function of Tcl 8.5', 'expr {max(1,2)}', 'unknown math function "max"', '{max(1,2)}'],
  [
    'a subcommand of Tcl 8.5',
    'string reverse x',
    `invalid option "reverse" must be: bytelength, compare, equal, first, index, is, last, length, map, match, range, repeat, replace, tolower, totitle, toupper, trim, trimleft, trimright, wordend, wordstart`,
  ],
  ['an option of Tcl 8.5', 'switch -nocase x {a {}}', 'invalid option "-nocase" must be: -exact, -glob, -regexp, --'],
  ['a pattern without a body', 'switch x {a {} b}', 'missing a script after "b"'],
  [
    'glue in the list of a switch',
    'switch x {a {}{b} {}}',
    'invalid list: list element in braces followed by "{b}" instead of space',
  ],
];

t.test('a body is refused for', async (t) => {
  for (const [claim, body, reason, shown = body] of BODIES) {
    t.equal(refusal(`when HTTP_REQUEST {\n${body}\n}`), first(`/P/r:2: error: [${reason}][${shown}]`), claim);
  }
});

t.test('an expression is refused for', async (t) => {
  const rows: [expression: string, reason: string][] = [
    ['2 ** 3', 'unexpected operator *'],
    ['"a" in {a b}', 'extra tokens at end of expression'],
    ['0b101', 'extra tokens at end of expression'],
    ['abc', 'variable references require preceding $'],
    ['1 +', 'premature end of expression'],
    ['', 'premature end of expression'],
    ['(1', 'looking for close parenthesis'],
    ['1 ? 2', 'missing colon from ternary conditional'],
    ['1 starts_with', 'premature end of expression'],
    ['starts_with 1', 'unexpected operator starts_with'],
    ['1 # 2', 'character not legal in expressions'],
  ];
  for (const [expression, reason] of rows) {
    const shown = `[parse error: syntax error in expression "${expression}": ${reason}][{${expression}}]`;
    t.equal(refusal(`when RULE_INIT {\nif {${expression}} {}\n}`), first(`/P/r:2: error: ${shown}`), expression);
  }
});

t.test('several problems are lines of one message', async (t) => {
  const body = 'set a 1\nR2286_hex $name\ntrace add variable v {read unset} w\n';
  t.equal(
    refusal(`when HTTP_REQUEST {\n${body}}\nwhen NO_EVENT {\n bar\n}\n`),
    first(
      [
        '/P/r:3: error: [undefined procedure: R2286_hex][R2286_hex $name]',
        '/P/r:4: error: [wrong # args][trace add variable v {read unset} w]',
        '/P/r:6: error: [unknown event (NO_EVENT)][when NO_EVENT {\n bar\n}]',
        '/P/r:7: error: [undefined procedure: bar][bar]',
      ].join('\n'),
    ),
  );
});

t.test('what does not close is named with its place', async (t) => {
  const rows: [text: string, rest: string][] = [
    ['proc p {} {\n\n\n return [list FAILED\n}\n', '4: error: [parse error: missing close-bracket][[list FAILED]'],
    ['when RULE_INIT {\n set a {\n}\n', '1: error: [parse error: missing close-brace][{]'],
    ['when RULE_INIT {\n set a "b\n}\n', '2: error: [parse error: missing "]["b]'],
    ['when RULE_INIT {\n set a $b(c\n}\n', '2: error: [parse error: missing )][(c]'],
    [`when RULE_INIT {\n set a \${b\n}`, '1: error: [parse error: missing close-brace][{]'],
    ['when RULE_INIT {\n # a comment with a { brace\n}', '1: error: [parse error: missing close-brace][{]'],
    ['when RULE_INIT {\n if {"a} {}\n}\n', '2: error: [parse error: missing "]["a} {}]'],
  ];
  for (const [text, rest] of rows) t.equal(refusal(text), first(`/P/r:${rest}`), text);
});

t.test('at the top level stand when, proc, priority and timing', async (t) => {
  const rows: [text: string, reason: string][] = [
    ['set x 1', 'command is not valid in the current scope'],
    ['when HTTP_REQUEST { } junk', 'unexpected extra argument "junk"'],
    ['when HTTP_REQUEST priority 1001 { }', 'unexpected extra argument "1001"'],
    ['when HTTP_REQUEST priority -1 { }', 'unexpected extra argument "-1"'],
    ['when NOT_A_REAL_EVENT { }', 'unknown event (NOT_A_REAL_EVENT)'],
    ['when CLIENTSSL_ALERT { }', 'unknown event (CLIENTSSL_ALERT)'],
    ['when HTTP_CLASS_SELECTED { }', 'unknown event (HTTP_CLASS_SELECTED)'],
    ['when HTTP_REQUEST', 'wrong # args'],
    ['proc p {}', 'wrong # args'],
    ['priority 2000', 'unexpected extra argument "2000"'],
    ['timing maybe', 'wrong # args'],
  ];
  for (const [text, reason] of rows) t.equal(refusal(text), first(`/P/r:1: error: [${reason}][${text}]`), text);
});

t.test('an event stands once for each priority', async (t) => {
  const twice = 'when RULE_INIT { }\nwhen RULE_INIT { }';
  t.equal(refusal(twice), first('/P/r:2: error: [Duplicate event][when RULE_INIT { }]'));
  t.equal(refusal('when RULE_INIT { }\nwhen RULE_INIT priority 7 { }'), null);
});

t.test('a procedure is only reached by call', async (t) => {
  const proc = 'proc p {a} {return $a}\n';
  t.equal(refusal(`${proc}when RULE_INIT {log local0. [call p 1]}`), null);
  t.match(refusal(`${proc}when RULE_INIT {log local0. [p 1]}`), '[undefined procedure: p][p 1]');
  t.match(refusal('proc p {} {foo}'), '[undefined procedure: foo][foo]');
  t.equal(refusal('proc p {} {HTTP::status; TCP::client_port}'), null, 'its commands are judged as they run');
});

t.test('a literal name must exist, a variable may hold any', async (t) => {
  const rule = (body: string): string => `when HTTP_REQUEST {\n${body}\n}`;
  const missing: [body: string, kind: string, name: string][] = [
    ['class match -- [HTTP::uri] starts_with nope', 'value_list', 'nope'],
    ['class lookup "x" /Common/nope', 'value_list', '/Common/nope'],
    ['matchclass [HTTP::uri] equals nope', 'value_list', 'nope'],
    ['pool nope', 'pool', 'nope'],
    ['pool nope member 10.0.0.1 80', 'pool', 'nope'],
    ['LB::reselect pool nope', 'pool', 'nope'],
    ['active_members -list nope', 'pool', 'nope'],
    ['virtual nope', 'virtual_server', 'nope'],
  ];
  for (const [body, kind, name] of missing) {
    const expected = first(`Unable to find ${kind} (${name}) referenced at line 2: [${body}]`);
    t.equal(refusal(rule(body)), expected, body);
  }
  const free = [
    'pool $p',
    'class match $x equals $dg',
    'class exists nope',
    'virtual',
    'virtual name',
    'call nope::p',
    'HSL::open -proto UDP -pool nope',
  ];
  for (const body of free) t.equal(refusal(rule(body)), null, body);
});

t.test('a relative name is looked for in /Common, then beside the rule', async (t) => {
  const asked: string[] = [];
  const names: NameLookup = { has: (kind, path) => asked.push(`${kind} ${path}`) > 1 };
  t.equal(refusal('when HTTP_REQUEST {pool web; call lib::p; call /Q/lib::p}', names), null);
  t.strictSame(asked, ['pool /Common/web', 'pool /P/web', 'rule /P/lib', 'rule /Q/lib']);
});

t.test('a rule is ASCII or beyond U+FFFF, and no longer than 65,520 bytes', async (t) => {
  const rule = (text: string): string => `when RULE_INIT {set x "${text}"}`;
  for (const text of ['é', 'e\u0301', '☃', '👩🏽\u200d💻']) {
    t.equal(
      refusal(rule(text)),
      first(`/P/r:1: error: [braces are required around the expression][${rule(text)}]`),
      text,
    );
  }
  for (const text of ['😀', '👍🏽', '🇳🇿']) t.equal(refusal(rule(text)), null, text);
  t.match(refusal(rule('a\0b')), 'can\'t parse TCL script beginning with\nwhen RULE_INIT {set x "a');
  t.equal(refusal(`# ${'x'.repeat(65_518)}`), null);
  t.match(refusal(`# ${'x'.repeat(65_519)}`), 'max:65520 received:65521');
});
