/** F5's operators, written as words: rows marked so were recorded on BIG-IP 21.1. */
import t from 'tap';
import { skip } from '../tclsh.ts';
import { evaluate } from './tclsh.ts';

const NOT_NUMERIC = `can't use non-numeric string as operand of "!"`;

const ROWS: [expression: string, code: number, result: string][] = [
  // Recorded.
  ['"abcd" matches "a*"', 0, '1'],
  ['"a*" matches "a*"', 0, '1'],
  ['"a*" matches "abcd"', 0, '0'],
  ['"abcd" matches "a.*"', 0, '0'],
  ['"abcd" matches "bc"', 0, '0'],
  ['"abcd" matches "abcd"', 0, '1'],
  ['1 or 0 matches 0', 0, '1'],
  ['not "abc" starts_with "a"', 1, NOT_NUMERIC],
  ['not ("abc" starts_with "a")', 0, '0'],
  ['"abc" equals "abc"', 0, '1'],
  ['"abcd" starts_with "ab"', 0, '1'],
  ['"abcd" ends_with "cd"', 0, '1'],
  ['"abcd" contains "bc"', 0, '1'],
  ['"abcd" contains "zz"', 0, '0'],
  ['"abcd" matches_glob "a*d"', 0, '1'],
  ['"abcd" matches_regex {^a.*d$}', 0, '1'],
  ['1 and 1', 0, '1'],
  ['0 or 1', 0, '1'],
  ['not 0', 0, '1'],
  ['"a"eq"a"', 0, '1'],
  ['010', 0, '8'],
  ['0x10', 0, '16'],
  ['1e3', 0, '1000.0'],
  // Presumed from the grammar.
  ['"a"equals"a"', 0, '1'],
  ['"abc"starts_with"a"', 0, '1'],
  ['"abc" ends_with ""', 0, '1'],
  ['"abc" contains ""', 0, '1'],
  ['"abc" starts_with "abcd"', 0, '0'],
  ['"010" starts_with "01"', 0, '1'],
  ['[format %s 010] starts_with "01"', 0, '1'],
  ['"abc" starts_with "a" contains "1"', 0, '1'],
  ['"a" starts_with "a" ? "y" : "n"', 0, 'y'],
  ['1 ? 0 ? 3 : "x" ends_with "x" : 5', 0, '1'],
  ['(("abc" contains "b") and not ("abc" contains "z")) or 0', 0, '1'],
  ['0 and 0 or 1', 0, '1'],
  ['1 or 0 and 0', 0, '1'],
  ['"1" + 1 starts_with 2', 0, '1'],
  ['[string length {a b}] == 3 and "x[list y]" equals "xy"', 0, '1'],
  ['"a\\"b" contains "\\""', 0, '1'],
  ['"-x" matches_regex "-x"', 0, '1'],
  ['true and yes', 0, '1'],
  ['abs(-3) + int(2.5)', 0, '5'],
];

t.test('an expression in braces gives what a BIG-IP gave', { skip }, async (t) => {
  const outcomes = evaluate(ROWS.map(([expression]) => `expr {${expression}}`));
  for (const [index, [expression, code, result]] of ROWS.entries()) {
    t.strictSame(outcomes[index], { code, result }, expression);
  }
});

t.test('an expression that a variable holds gives the same', { skip }, async (t) => {
  const outcomes = evaluate(ROWS.map(([expression]) => `set e {${expression}}; expr $e`));
  for (const [index, [expression, code, result]] of ROWS.entries()) {
    t.strictSame(outcomes[index], { code, result }, expression);
  }
});

t.test('conditions are expressions wherever Tcl evaluates one', { skip }, async (t) => {
  const rows: [source: string, result: string][] = [
    ['if {"ab" starts_with "a"} then {set r y} else {set r n}', 'y'],
    ['if {0} {} elseif {"ab" contains "b" and not 0} {set r y}', 'y'],
    ['set i 0; while {not ($i equals 3)} {incr i}; set i', '3'],
    ['for {set i a} {not ($i ends_with "aaa")} {append i a} {}; set i', 'aaa'],
    ['set c {"ab" starts_with "a"}; if $c {set r y}', 'y'],
    ['set a {"abc"}; set b {"ab"}; expr $a starts_with $b', '1'],
    ['if [string length a] {set r y}', 'y'],
    ['if ![string length ""] {set r y}', 'y'],
    ['set x 1; if "$x and 1" {set r y}', 'y'],
    ['if 1 {set r y}', 'y'],
    ['set r [expr {1 and [expr {"a" equals "a"}]}]', '1'],
    ['catch {if {"a" starts_with "a"}{set r in}}; set r', 'in'],
    ['foreach x {1 2}{if {$x equals 2}{set r $x}}; set r', '2'],
  ];
  const outcomes = evaluate(rows.map(([source]) => source));
  for (const [index, [source, result]] of rows.entries()) t.strictSame(outcomes[index], { code: 0, result }, source);
});
