/** F5's reading of scripts: every row was recorded on BIG-IP 21.1, and is run here by a real Tcl 8.6. */
import t from 'tap';
import { loadRule } from '../../src/irule/load-rule.ts';
import { skip } from '../tclsh.ts';
import { evaluate } from './tclsh.ts';

interface Row {
  source: string;
  result: string;
}

t.test('a word that begins with a brace or a quote ends at its close', { skip }, async (t) => {
  const rows: [words: string, elements: string[]][] = [
    ['{a}{b}', ['a', 'b']],
    ['{a}b', ['a', 'b']],
    ['{a}bc{d}', ['a', 'bc{d}']],
    ['{a}"b"', ['a', 'b']],
    ['{a}$v', ['a', 'XX']],
    ['{a}[list b]', ['a', 'b']],
    ['{a}{b}{c}', ['a', 'b', 'c']],
    ['{}{}', ['', '']],
    ['{a b}{c d}', ['a b', 'c d']],
    ['{a{b}}{c}', ['a{b}', 'c']],
    ['{a}#b', ['a', '#b']],
    ['{a}\\ b', ['a', ' b']],
    ['{a}"b"c', ['a', 'b', 'c']],
    ['"a"{b}', ['a', 'b']],
    ['"a"b', ['a', 'b']],
    ['"a""b"', ['a', 'b']],
    ['"a"$v', ['a', 'XX']],
    ['{$v}$v', ['$v', 'XX']],
    ['a{b}', ['a{b}']],
    ['a{b}c', ['a{b}c']],
    ['$v{b}', ['XX{b}']],
    ['$v"b"', ['XX"b"']],
    ['[list a]{b}', ['a{b}']],
    ['[list a]b', ['ab']],
    [`\${v}b`, ['XXb']],
    [`@\${v}c`, ['@XXc']],
    [`\${v}{b}`, ['XX{b}']],
    [`\${v}"b"`, ['XX"b"']],
    ['{a}\t{b}', ['a', 'b']],
    ['{*}{a b c}', ['*', 'a b c']],
    ['{*}$l', ['*', 'p q']],
  ];
  const outcomes = evaluate(
    rows.map(([words]) => `set v XX; set l {p q}; set r {}\nforeach w [list ${words}] {append r "<$w>"}; set r`),
  );
  for (const [index, [words, elements]] of rows.entries()) {
    t.strictSame(outcomes[index], { code: 0, result: elements.map((element) => `<${element}>`).join('') }, words);
  }
});

t.test('scripts give what a BIG-IP gave', { skip }, async (t) => {
  const rows: Row[] = [
    { source: 'if {1} {expr {6*7}}', result: '42' },
    { source: 'if {1}{expr {6*7}}', result: '42' },
    { source: '{set}zz 7; set zz', result: '7' },
    { source: 'catch {error no}errv; set errv', result: 'no' },
    { source: 'for {set i 0}{$i < 2}{incr i}{append r $i}; set r', result: '01' },
    { source: 'foreach x {a b}{append r $x}; set r', result: 'ab' },
    { source: 'if "1"{set r y}', result: 'y' },
    { source: 'if {[string length "x"]}{set r y}', result: 'y' },
    { source: 'set m before; if {1}{#do something}; set m', result: 'before' },
    { source: 'set m before; if {1}{#do something\nset m after}; set m', result: 'after' },
    { source: 'set n 1\nwhile {$n < 30}\n{\n set n [expr {$n + 30}]\n}\nset n', result: '31' },
    { source: 'if {1}\n{set r body-ran}', result: 'body-ran' },
    { source: 'if\n{1}\n{set r body-ran}', result: 'body-ran' },
    { source: 'foreach i {a b c}\n{append acc $i}\nset acc', result: 'abc' },
    { source: 'for\n{set x 0}\n{$x<3}\n{incr x} {\n append acc $x\n}\nset acc', result: '012' },
    { source: 'switch "a"\n{\n a {set r matched-a}\n default {set r no}\n}', result: 'matched-a' },
    { source: 'switch -glob "abc" {\n "ab*" -\n "cd*" {set r hit}\n default {set r miss}\n}', result: 'hit' },
    { source: 'if {0} {set r then}\nelse {set r else-branch}', result: 'else-branch' },
    { source: 'if {0} {set r then}\nelseif {1} {set r elseif-branch}', result: 'elseif-branch' },
    { source: 'if {0} {set r then}\nelse\n{set r else-branch}', result: 'else-branch' },
    { source: 'list {a}]', result: 'a \\]' },
    { source: 'list a b\n{c}', result: 'a b c' },
    { source: 'set\n{q} 5\nset q', result: '5' },
    { source: 'string\n{length} abc', result: '3' },
    { source: 'set m before\r\nif {1}\r\n{set m after}\r\nset m', result: 'after' },
    { source: 'set m before\nif {1}\\\n{set m after}\nset m', result: 'after' },
    { source: 'list {A\\\n B} "A\\\n B" {\\n}', result: '{A B} {A B} {\\n}' },
    { source: 'list {A\\\r\n B} "A\\\r\n B" {\\n}', result: '{A B} {A B} {\\n}' },
    { source: `set {odd name} 1; set r \${odd name}`, result: '1' },
    { source: 'set m before; # { balanced }\nset m after; set m', result: 'after' },
    { source: 'set r "a[if {1}{set y b}]c"', result: 'abc' },
    { source: 'array set a {k v}; set i k; set r $a([set i])', result: 'v' },
    { source: 'eval {if {1}{set r e}}', result: 'e' },
    { source: 'uplevel 0 {if {1}{set r u}}', result: 'u' },
    { source: 'set r "\\x0041\\U0041"', result: 'AU0041' },
    { source: 'set r "$\\U0041("', result: '$U0041(' },
  ];
  const outcomes = evaluate(rows.map(({ source }) => source));
  for (const [index, { source, result }] of rows.entries()) t.strictSame(outcomes[index], { code: 0, result }, source);
});

t.test('a body keeps its lines, so that an error names the right one', async (t) => {
  const body = 'if {1}\n{\n  list {a}{b}\n}\nelse\n{\n}\n';
  const loading = loadRule('/Common/r', `when RULE_INIT {${body}}`, { has: () => true });
  const made = loading.state === 'loaded' ? loading.rule.handlers[0]?.body : null;
  t.equal(made?.split('\n').length, body.split('\n').length);
});
