/**
 * Random expressions with what F5's rules say they are worth: a second reading that shares nothing with the front end.
 * They are written with as few parentheses as their precedence allows, or with more, and with blanks where they please.
 */
import fc from 'fast-check';

interface Node {
  kind: 'text' | 'number' | 'boolean';
  /** Of the outermost operator; an operand is 99. */
  binds: number;
  write: (blank: () => string) => string;
  value: string | number | boolean;
}

/** One way of writing an expression, and its value as Tcl prints it. */
export interface RandomExpression {
  text: string;
  value: string;
}

const OPERAND = 99;
const UNARY = 90;
const TEXTS = ['', 'a', 'b', 'ab', 'ba', 'abc', 'aab', '1', '010', 'a b', '-a'];

const textOf = (node: Node): string =>
  typeof node.value === 'boolean' ? String(Number(node.value)) : String(node.value);

const glob = (pattern: string): RegExp => new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's');

interface Operator {
  name: string;
  binds: number;
  of: (left: string, right: string) => boolean;
}

const ON_TEXTS: Operator[] = [
  { name: 'starts_with', binds: 50, of: (left, right) => left.startsWith(right) },
  { name: 'ends_with', binds: 50, of: (left, right) => left.endsWith(right) },
  { name: 'contains', binds: 50, of: (left, right) => left.includes(right) },
  { name: 'equals', binds: 50, of: (left, right) => left === right },
  { name: 'eq', binds: 50, of: (left, right) => left === right },
  { name: 'ne', binds: 50, of: (left, right) => left !== right },
  { name: 'matches', binds: 50, of: (left, right) => glob(right).test(left) },
  { name: 'matches_glob', binds: 50, of: (left, right) => glob(right).test(left) },
];

const operand = (kind: Node['kind'], value: Node['value'], written: string): Node => ({
  kind,
  binds: OPERAND,
  value,
  write: () => written,
});

const texts: fc.Arbitrary<Node> = fc
  .tuple(fc.constantFrom(...TEXTS), fc.constantFrom('quoted', 'braced', 'command', 'variable'))
  .map(([text, form]) => operand('text', text, written(text, form)));

function written(text: string, form: string): string {
  if (form === 'braced') return `{${text}}`;
  if (form === 'command') return `[format %s {${text}}]`;
  if (form === 'variable') return `$v(${text})`;
  return `"${text}"`;
}

const numbers: fc.Arbitrary<Node> = fc
  .integer({ min: 0, max: 20 })
  .map((value) => operand('number', value, String(value)));

const booleans: fc.Arbitrary<Node> = fc.constantFrom(operand('boolean', true, '1'), operand('boolean', false, '0'));

/** An operand in parentheses where it must be, and sometimes where it need not. */
const inside =
  (node: Node, least: number, generous: boolean) =>
  (blank: () => string): string => {
    const text = node.write(blank);
    return node.binds < least || generous ? `(${blank()}${text}${blank()})` : text;
  };

function binary(
  kind: Node['kind'],
  name: string,
  binds: number,
  value: Node['value'],
  left: Node,
  right: Node,
  generous: boolean,
): Node {
  const write = (blank: () => string): string =>
    `${inside(left, binds, generous)(blank)} ${blank()}${name} ${blank()}${inside(right, binds + 1, generous)(blank)}`;
  return { kind, binds, value, write };
}

const { node } = fc.letrec<{ node: Node; text: Node; number: Node; boolean: Node }>((tie) => ({
  node: fc.oneof(tie('boolean'), tie('text'), tie('number')),
  text: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    texts,
    fc.tuple(tie('boolean'), texts, texts, fc.boolean()).map(
      ([condition, yes, no, generous]): Node => ({
        kind: 'text',
        binds: 0,
        value: condition.value === true ? yes.value : no.value,
        write: (blank) =>
          `${inside(condition, 1, generous)(blank)} ?${blank()} ${yes.write(blank)} ${blank()}: ${no.write(blank)}`,
      }),
    ),
  ),
  number: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    numbers,
    fc
      .tuple(fc.constantFrom('+', '-', '*'), tie('number'), tie('number'), fc.boolean())
      .map(([name, left, right, generous]) => {
        const [a, b] = [Number(left.value), Number(right.value)];
        const value = name === '+' ? a + b : name === '-' ? a - b : a * b;
        return binary('number', name, name === '*' ? 80 : 70, value, left, right, generous);
      }),
  ),
  boolean: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    booleans,
    fc
      .tuple(fc.constantFrom(...ON_TEXTS), tie('node'), tie('node'), fc.boolean())
      .map(([{ name, binds, of }, left, right, generous]) =>
        binary('boolean', name, binds, of(textOf(left), textOf(right)), left, right, generous),
      ),
    fc
      .tuple(fc.constantFrom('and', 'or', '&&', '||'), tie('boolean'), tie('boolean'), fc.boolean())
      .map(([name, left, right, generous]) => {
        const isAnd = name === 'and' || name === '&&';
        const value = isAnd ? left.value === true && right.value === true : left.value === true || right.value === true;
        return binary('boolean', name, isAnd ? 20 : 10, value, left, right, generous);
      }),
    fc
      .tuple(fc.constantFrom('<', '>', '<=', '>='), tie('number'), tie('number'), fc.boolean())
      .map(([name, left, right, generous]) => {
        const [a, b] = [Number(left.value), Number(right.value)];
        const value = name === '<' ? a < b : name === '>' ? a > b : name === '<=' ? a <= b : a >= b;
        return binary('boolean', name, 60, value, left, right, generous);
      }),
    fc.tuple(fc.constantFrom('not ', '!'), tie('boolean'), fc.boolean()).map(
      ([name, of, generous]): Node => ({
        kind: 'boolean',
        binds: UNARY,
        value: of.value !== true,
        write: (blank) => `${name}${blank()}${inside(of, UNARY, generous)(blank)}`,
      }),
    ),
  ),
}));

export const expressions: fc.Arbitrary<RandomExpression> = fc
  .tuple(node, fc.array(fc.constantFrom('', '', ' ', '  ', '\t', '\n'), { minLength: 8, maxLength: 8 }))
  .map(([root, blanks]) => {
    let next = 0;
    return { text: root.write(() => blanks[next++ % blanks.length] ?? ''), value: textOf(root) };
  });

/** Sets the variables that the expressions read. */
export const VARIABLES: string = `array set v {${TEXTS.map((text) => `{${text}} {${text}}`).join(' ')}}`;
