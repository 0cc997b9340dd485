import { compareText } from './text-order.ts';

/**
 * Label selectors. Both spellings (the boolean string and the Kubernetes object) become one normal form: a list of
 * alternatives, each a list of conditions on single labels. Equal selectors have equal normal forms in the cases that
 * people write; the form is what groups are named by and what is evaluated. There is no substring and no regular
 * expression, so every condition can be answered from an index.
 */
export interface LabelCondition {
  key: string;
  /** `in` and `not-in` look at values; `not-in` and `absent` hold for an object without the label. */
  op: 'in' | 'not-in' | 'exists' | 'absent';
  /** Sorted, without repeats; empty for `exists` and `absent`. */
  values: string[];
}

/** Alternatives of conjunctions: `[[]]` selects everything, `[]` nothing. */
export type Selector = LabelCondition[][];

export type Labels = Record<string, string>;

/** Bounds what one selector can cost; far beyond what a person writes. */
const MAX_ALTERNATIVES = 1024;

export const TOO_WIDE = 'too-wide';

export function selects(selector: Selector, labels: Labels): boolean {
  return selector.some((conditions) => conditions.every((condition) => holdsFor(condition, labels)));
}

export function holdsFor(condition: LabelCondition, labels: Labels): boolean {
  const value = Object.prototype.hasOwnProperty.call(labels, condition.key) ? labels[condition.key] : undefined;
  if (condition.op === 'exists') return value !== undefined;
  if (condition.op === 'absent') return value === undefined;
  const listed = value !== undefined && condition.values.indexOf(value) >= 0;
  return condition.op === 'in' ? listed : !listed;
}

/** The selector as text that both spellings share. */
export function formatSelector(selector: Selector): string {
  if (selector.length === 0) return '!all()';
  return selector
    .map((conditions) => (conditions.length === 0 ? 'all()' : conditions.map(formatCondition).join(' && ')))
    .join(' || ');
}

export function formatCondition(condition: LabelCondition): string {
  if (condition.op === 'exists') return `has(${condition.key})`;
  if (condition.op === 'absent') return `!has(${condition.key})`;
  const not = condition.op === 'not-in';
  if (condition.values.length === 1) return `${condition.key} ${not ? '!=' : '=='} '${condition.values[0]}'`;
  return `${condition.key} ${not ? 'not in' : 'in'} {${condition.values.map((value) => `'${value}'`).join(', ')}}`;
}

/** Labels that the selector tests with `!=` or `not in` without asking for their presence in the same alternative. */
export function unguardedNegations(selector: Selector): string[] {
  const keys: string[] = [];
  selector.forEach((conditions) => {
    conditions.forEach((condition) => {
      if (condition.op !== 'not-in' || keys.indexOf(condition.key) >= 0) return;
      const guarded = conditions.some(
        (other) => other.key === condition.key && (other.op === 'exists' || other.op === 'in'),
      );
      if (!guarded) keys.push(condition.key);
    });
  });
  return keys;
}

export function condition(key: string, op: LabelCondition['op'], values: string[]): LabelCondition {
  const sorted = values.slice().sort();
  return { key, op, values: sorted.filter((value, index) => index === 0 || value !== sorted[index - 1]) };
}

export function negated(it: LabelCondition): LabelCondition {
  const opposite = { in: 'not-in', 'not-in': 'in', exists: 'absent', absent: 'exists' } as const;
  return { key: it.key, op: opposite[it.op], values: it.values };
}

export function either(a: Selector | typeof TOO_WIDE, b: Selector | typeof TOO_WIDE): Selector | typeof TOO_WIDE {
  if (a === TOO_WIDE || b === TOO_WIDE || a.length + b.length > MAX_ALTERNATIVES) return TOO_WIDE;
  return tidy(a.concat(b));
}

export function both(a: Selector | typeof TOO_WIDE, b: Selector | typeof TOO_WIDE): Selector | typeof TOO_WIDE {
  if (a === TOO_WIDE || b === TOO_WIDE || a.length * b.length > MAX_ALTERNATIVES) return TOO_WIDE;
  const out: Selector = [];
  a.forEach((left) => {
    b.forEach((right) => {
      const merged = conjunction(left.concat(right));
      if (merged !== null) out.push(merged);
    });
  });
  return tidy(out);
}

/** Conditions on one key joined and sorted; null when they contradict each other. */
function conjunction(conditions: LabelCondition[]): LabelCondition[] | null {
  const byKey: Record<string, LabelCondition[]> = Object.create(null);
  conditions.forEach((it) => {
    const list = byKey[it.key];
    if (list === undefined) byKey[it.key] = [it];
    else list.push(it);
  });
  let out: LabelCondition[] = [];
  const keys = Object.keys(byKey).sort();
  for (let i = 0; i < keys.length; i += 1) {
    const joined = joinOnKey(keys[i] as string, byKey[keys[i] as string] as LabelCondition[]);
    if (joined === null) return null;
    out = out.concat(joined);
  }
  return out;
}

function joinOnKey(key: string, conditions: LabelCondition[]): LabelCondition[] | null {
  let allowed: string[] | null = null;
  let refused: string[] = [];
  let exists = false;
  let absent = false;
  conditions.forEach((it) => {
    if (it.op === 'exists') exists = true;
    else if (it.op === 'absent') absent = true;
    else if (it.op === 'not-in') refused = refused.concat(it.values);
    else
      allowed = allowed === null ? it.values : (allowed as string[]).filter((value) => it.values.indexOf(value) >= 0);
  });
  if (absent) return exists || allowed !== null ? null : [condition(key, 'absent', [])];
  if (allowed !== null) {
    const left = (allowed as string[]).filter((value) => refused.indexOf(value) < 0);
    return left.length === 0 ? null : [condition(key, 'in', left)];
  }
  const out: LabelCondition[] = [];
  if (exists) out.push(condition(key, 'exists', []));
  if (refused.length > 0) out.push(condition(key, 'not-in', refused));
  return out;
}

/** Sorted alternatives without repeats; an alternative without conditions swallows all others. */
function tidy(selector: Selector): Selector {
  if (selector.some((conditions) => conditions.length === 0)) return [[]];
  const keyed = selector.map((conditions) => ({ text: conditions.map(formatCondition).join(' && '), conditions }));
  keyed.sort((a, b) => compareText(a.text, b.text));
  return keyed
    .filter((it, i) => i === 0 || it.text !== (keyed[i - 1] as { text: string }).text)
    .map((it) => it.conditions);
}
