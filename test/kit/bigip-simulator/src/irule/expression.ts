/**
 * Expressions: Tcl 8.4's grammar and F5's word operators, checked as a rule loads and edited into plain Tcl 8.6.
 * `a starts_with b` becomes `starts_with(a,b)`, a function of tcl/expr-functions.tcl; `and`, `or`, `not` and
 * `equals` become `&&`, `||`, `!` and `eq`. What Tcl 8.5 added (`in`, `ni`, `**`, new functions) is refused.
 */
import { operatorPrecedence, readToken, type Token, wordFunctions } from './expression-tokens.ts';
import { type Command, deeper, type Reading } from './words.ts';

export interface Expression {
  /** Command substitutions in it, in order. */
  scripts: Command[][];
  /** Why it is refused, or null. */
  problem: string | null;
}

/** The math functions of Tcl 8.4. */
const MATH_FUNCTIONS: ReadonlySet<string> = new Set(
  (
    'abs acos asin atan atan2 ceil cos cosh double exp floor fmod hypot int log log10 pow rand round sin sinh sqrt ' +
    'srand tan tanh wide'
  ).split(' '),
);
const BOOLEANS: readonly string[] = ['true', 'false', 'yes', 'no', 'on', 'off'];
const LOWEST = 1;

interface Place {
  start: number;
  end: number;
}

interface Parsing {
  reading: Reading;
  end: number;
  token: Token;
  /** Where the last taken token ended. */
  last: number;
  scripts: Command[][];
  problem: string | null;
}

export function readExpression(reading: Reading, start: number, end: number): Expression {
  const token: Token = { kind: 'end', start, end: start, text: '' };
  const parsing: Parsing = { reading, end, token, last: start, scripts: [], problem: null };
  advance(parsing);
  parseConditional(parsing);
  if (parsing.token.kind !== 'end') complain(parsing, 'extra tokens at end of expression');
  const { scripts, problem } = parsing;
  return { scripts, problem: problem === null ? null : withText(problem, reading.text.slice(start, end)) };
}

/** Tcl shows at most 60 characters of the expression. */
function withText(problem: string, expression: string): string {
  if (problem.startsWith('unknown math function')) return problem;
  const shown = expression.length > 60 ? `${expression.slice(0, 60)}...` : expression;
  return `parse error: syntax error in expression "${shown}": ${problem}`;
}

function complain(parsing: Parsing, problem: string): void {
  if (parsing.reading.failure === null) parsing.problem ??= problem;
  parsing.token = { kind: 'end', start: parsing.end, end: parsing.end, text: '' };
}

function advance(parsing: Parsing): void {
  parsing.last = parsing.token.end;
  const token = readToken(parsing.reading, parsing.token.end, parsing.end, parsing.scripts);
  parsing.token = token;
  if (token.kind === 'illegal') complain(parsing, token.text);
  if (parsing.reading.failure !== null) complain(parsing, '');
}

const edit = (parsing: Parsing, place: Place, text: string): void => {
  parsing.reading.edits.push({ start: place.start, end: place.end, text });
};

const isOperator = (token: Token, text: string): boolean => token.kind === 'operator' && token.text === text;

function parseConditional(parsing: Parsing): Place {
  const start = parsing.token.start;
  return deeper(parsing.reading, start, { start, end: start }, () => {
    parseBinary(parsing, LOWEST);
    if (!isOperator(parsing.token, '?')) return { start, end: parsing.last };
    advance(parsing);
    parseConditional(parsing);
    if (isOperator(parsing.token, ':')) {
      advance(parsing);
      parseConditional(parsing);
    } else complain(parsing, 'missing colon from ternary conditional');
    return { start, end: parsing.last };
  });
}

function parseBinary(parsing: Parsing, lowest: number): Place {
  const openings = parsing.reading.edits.length;
  const start = parsing.token.start;
  parseUnary(parsing);
  for (;;) {
    const operator = parsing.token;
    const precedence = operator.kind === 'operator' ? (operatorPrecedence[operator.text] ?? 0) : 0;
    if (precedence < lowest || parsing.reading.failure !== null) return { start, end: parsing.last };
    advance(parsing);
    parseBinary(parsing, precedence + 1);
    rewrite(parsing, operator, start, openings);
  }
}

function rewrite(parsing: Parsing, operator: Token, start: number, openings: number): void {
  const call = wordFunctions[operator.text];
  if (call !== undefined) {
    // The call's opening goes before those of the operands that begin at the same place: it is the outer one.
    parsing.reading.edits.splice(openings, 0, { start, end: start, text: `${call}(` });
    edit(parsing, operator, ',');
    edit(parsing, { start: parsing.last, end: parsing.last }, ')');
  } else if (operator.text === 'and') edit(parsing, operator, '&&');
  else if (operator.text === 'or') edit(parsing, operator, '||');
  else if (operator.text === 'equals') edit(parsing, operator, ' eq ');
}

function parseUnary(parsing: Parsing): void {
  const { token } = parsing;
  const isNot = token.kind === 'word' && token.text === 'not';
  if (isNot) edit(parsing, token, '!');
  if (isNot || ['-', '+', '!', '~'].some((text) => isOperator(token, text))) {
    advance(parsing);
    deeper(parsing.reading, token.start, undefined, () => parseUnary(parsing));
  } else parsePrimary(parsing);
}

function parsePrimary(parsing: Parsing): void {
  const { token } = parsing;
  if (token.kind === 'operand') advance(parsing);
  else if (token.kind === 'word') parseWord(parsing);
  else if (isOperator(token, '(')) {
    advance(parsing);
    parseConditional(parsing);
    expectClose(parsing, 'looking for close parenthesis');
  } else if (token.kind === 'end') complain(parsing, 'premature end of expression');
  else complain(parsing, `unexpected operator ${token.text}`);
}

function expectClose(parsing: Parsing, otherwise: string): void {
  if (isOperator(parsing.token, ')')) advance(parsing);
  else complain(parsing, otherwise);
}

function parseWord(parsing: Parsing): void {
  const name = parsing.token.text;
  advance(parsing);
  if (isOperator(parsing.token, '(')) {
    parseArguments(parsing);
    if (!MATH_FUNCTIONS.has(name)) complain(parsing, `unknown math function "${name}"`);
    return;
  }
  const lower = name.toLowerCase();
  const isBoolean = BOOLEANS.filter((value) => value.startsWith(lower)).length === 1;
  if (!isBoolean) complain(parsing, 'variable references require preceding $');
}

function parseArguments(parsing: Parsing): void {
  advance(parsing);
  if (!isOperator(parsing.token, ')')) parseConditional(parsing);
  while (isOperator(parsing.token, ',')) {
    advance(parsing);
    parseConditional(parsing);
  }
  expectClose(parsing, 'missing close parenthesis at end of function call');
}
