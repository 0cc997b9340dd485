import type { LabelCondition, Selector } from './selector.ts';
import { both, condition, either, negated, TOO_WIDE } from './selector.ts';

/** Text → normal form, by recursive descent: `!` binds before `&&` before `||`. */
export type ParsedSelector = { selector: Selector } | { error: string; at: number };

interface Token {
  kind: 'name' | 'value' | 'symbol' | 'end';
  text: string;
  at: number;
}

interface Cursor {
  tokens: Token[];
  next: number;
}

type Partial = Selector | typeof TOO_WIDE;

const MAX_DEPTH = 64;
const LABEL_PREFIX = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const LABEL_NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

/** Kubernetes' grammar: an optional DNS prefix of at most 253 characters, then a name of at most 63. */
export function isLabelKey(text: string): boolean {
  const slash = text.indexOf('/');
  if (slash < 0) return LABEL_NAME.test(text);
  const prefix = text.slice(0, slash);
  return prefix.length <= 253 && LABEL_PREFIX.test(prefix) && LABEL_NAME.test(text.slice(slash + 1));
}

/** Kubernetes' grammar: empty, or a name of at most 63. */
export function isLabelValue(text: string): boolean {
  return text === '' || LABEL_NAME.test(text);
}

export function parseSelector(text: string): ParsedSelector {
  try {
    const cursor = { tokens: tokenise(text), next: 0 };
    if (peek(cursor).kind === 'end') fail('the selector is empty; everything is `all()`', 0);
    const selector = parseAny(cursor, false, 0);
    const rest = peek(cursor);
    if (rest.kind !== 'end') fail(`'${rest.text}' is not expected here`, rest.at);
    if (selector === TOO_WIDE) return fail('the selector has too many alternatives when multiplied out', 0);
    return { selector };
  } catch (thrown) {
    const problem = thrown as { selectorError?: string; at?: number };
    if (problem.selectorError === undefined) throw thrown;
    return { error: problem.selectorError, at: problem.at ?? 0 };
  }
}

function fail(message: string, at: number): never {
  const problem = new Error(message) as Error & { selectorError: string; at: number };
  problem.selectorError = message;
  problem.at = at;
  throw problem;
}

function tokenise(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const rest = text.slice(at);
    const space = /^[ \t\r\n]+/.exec(rest);
    if (space !== null) {
      at += space[0].length;
      continue;
    }
    const token = /^(&&|\|\||==|!=|[!(){},])|^'([^'\n]*)'|^([A-Za-z0-9][A-Za-z0-9._/-]*)/.exec(rest);
    if (token === null) {
      const hint =
        rest.charAt(0) === '"' ? 'values stand in single quotes' : `'${rest.charAt(0)}' is not expected here`;
      return fail(hint, at);
    }
    if (token[1] !== undefined) tokens.push({ kind: 'symbol', text: token[1], at });
    else if (token[2] !== undefined) tokens.push({ kind: 'value', text: token[2], at });
    else tokens.push({ kind: 'name', text: token[3] as string, at });
    at += token[0].length;
  }
  tokens.push({ kind: 'end', text: 'the end', at: text.length });
  return tokens;
}

function parseAny(cursor: Cursor, negate: boolean, depth: number): Partial {
  let out = parseAll(cursor, negate, depth);
  while (accept(cursor, '||')) {
    const right = parseAll(cursor, negate, depth);
    // De Morgan: under a negation the operators change places.
    out = negate ? both(out, right) : either(out, right);
  }
  return out;
}

function parseAll(cursor: Cursor, negate: boolean, depth: number): Partial {
  let out = parseUnary(cursor, negate, depth);
  while (accept(cursor, '&&')) {
    const right = parseUnary(cursor, negate, depth);
    out = negate ? either(out, right) : both(out, right);
  }
  return out;
}

function parseUnary(cursor: Cursor, negate: boolean, depth: number): Partial {
  if (depth > MAX_DEPTH) fail('the selector is nested too deeply', peek(cursor).at);
  if (accept(cursor, '!')) return parseUnary(cursor, !negate, depth + 1);
  if (accept(cursor, '(')) {
    const inner = parseAny(cursor, negate, depth + 1);
    expect(cursor, ')');
    return inner;
  }
  const token = take(cursor);
  if (token.kind !== 'name') fail(`a label, has(…), all() or ( is expected here, not '${token.text}'`, token.at);
  if (token.text === 'all' && accept(cursor, '(')) {
    expect(cursor, ')');
    return negate ? [] : [[]];
  }
  const atom = token.text === 'has' && accept(cursor, '(') ? parseHas(cursor) : parseComparison(cursor, token);
  return [[negate ? negated(atom) : atom]];
}

function parseHas(cursor: Cursor): LabelCondition {
  const key = labelKey(take(cursor));
  expect(cursor, ')');
  return condition(key, 'exists', []);
}

function parseComparison(cursor: Cursor, token: Token): LabelCondition {
  const key = labelKey(token);
  if (accept(cursor, '==')) return condition(key, 'in', [labelValue(take(cursor))]);
  if (accept(cursor, '!=')) return condition(key, 'not-in', [labelValue(take(cursor))]);
  const word = take(cursor);
  if (word.kind === 'name' && word.text === 'in') return condition(key, 'in', valueSet(cursor));
  if (word.kind === 'name' && word.text === 'not') {
    const second = take(cursor);
    if (second.kind === 'name' && second.text === 'in') return condition(key, 'not-in', valueSet(cursor));
    return fail(`'in' is expected after 'not'`, second.at);
  }
  return fail(`==, !=, in or not in is expected after '${token.text}', not '${word.text}'`, word.at);
}

function valueSet(cursor: Cursor): string[] {
  const open = peek(cursor).at;
  expect(cursor, '{');
  const values: string[] = [];
  if (accept(cursor, '}')) return fail('the set of values is empty', open);
  do values.push(labelValue(take(cursor)));
  while (accept(cursor, ','));
  expect(cursor, '}');
  return values;
}

function labelKey(token: Token): string {
  if (token.kind !== 'name' || !isLabelKey(token.text)) fail(`'${token.text}' is not a label key`, token.at);
  return token.text;
}

function labelValue(token: Token): string {
  if (token.kind !== 'value') fail(`a value in single quotes is expected here, not '${token.text}'`, token.at);
  if (!isLabelValue(token.text)) fail(`'${token.text}' is not a label value`, token.at);
  return token.text;
}

function peek(cursor: Cursor): Token {
  return cursor.tokens[cursor.next] as Token;
}

function take(cursor: Cursor): Token {
  const token = peek(cursor);
  if (token.kind !== 'end') cursor.next += 1;
  return token;
}

function accept(cursor: Cursor, symbol: string): boolean {
  const token = peek(cursor);
  if (token.kind !== 'symbol' || token.text !== symbol) return false;
  cursor.next += 1;
  return true;
}

function expect(cursor: Cursor, symbol: string): void {
  const token = peek(cursor);
  if (!accept(cursor, symbol)) fail(`'${symbol}' is expected here, not '${token.text}'`, token.at);
}
