import { type CompiledObject, type CompiledRule, compareText, type PortRange } from '@edgeward/policy';
import type { DataRecord } from './layout.ts';
import { plainWord } from './plain-word.ts';

/**
 * What follows for a source class once the port is known, as far as it can be said before a request is seen: lines 4 and 5
 * of the verdict, and which rules a request must then be compared with. Worked out here, so that the iRule only finds the
 * segment of its port.
 */
export interface Outcomes {
  /** By class of the object: the data of its records. */
  classes: string[];
  /** Alternatives for requests, by key; shared by all classes and ports with the same remaining rules. */
  requests: DataRecord[];
}

/** mcpd refuses a value of more than 65,520 characters; one that goes on in the next record ends with ` +`. */
const MAX_VALUE_CHARS = 60_000;

export function outcomesOf(object: CompiledObject): Outcomes {
  const keys = new Map<string, string>();
  const requests: DataRecord[] = [];
  const keyOf = (rules: readonly CompiledRule[]): string => {
    const alternatives = alternativesOf(rules);
    const text = alternatives.join(' ');
    const known = keys.get(text);
    if (known !== undefined) return known;
    const key = String(keys.size);
    keys.set(text, key);
    requests.push(...recordsOf(key, alternatives));
    return key;
  };
  const classes = object.classes.map((indices) =>
    segmentsOf(
      object,
      indices.flatMap((index) => object.rules[index] ?? []),
      keyOf,
    ),
  );
  return { classes, requests };
}

/** `tcp 443 443 requests 0 tcp 8000 8099 deny block-x`; `no-port` when no rule names any port of the object. */
function segmentsOf(
  object: CompiledObject,
  rules: readonly CompiledRule[],
  keyOf: (rules: readonly CompiledRule[]) => string,
): string {
  const segments: { protocol: string; from: number; to: number; outcome: string }[] = [];
  for (const { protocol, from, to } of pieces(object.ports, rules)) {
    const matching = rules.filter(
      (rule) => rule.ports === null || rule.ports.some((range) => covers(range, protocol, from)),
    );
    if (matching.length === 0) continue;
    const outcome = outcomeOf(object, matching, keyOf);
    const last = segments.at(-1);
    if (last?.protocol === protocol && last.to + 1 === from && last.outcome === outcome) last.to = to;
    else segments.push({ protocol, from, to, outcome });
  }
  if (segments.length === 0) return 'no-port';
  return segments.map(({ protocol, from, to, outcome }) => `${protocol} ${from} ${to} ${outcome}`).join(' ');
}

function outcomeOf(
  object: CompiledObject,
  rules: readonly CompiledRule[],
  keyOf: (rules: readonly CompiledRule[]) => string,
): string {
  const blanket = rules.find((rule) => rule.action === 'deny' && rule.http === null);
  if (blanket !== undefined) return `deny ${blanket.id}`;
  // A connection has no request: on an object of `protocol: tcp` such a rule matches nothing.
  const judged = object.protocol === 'http' && rules.some((rule) => rule.http !== null);
  if (judged) return `requests ${keyOf(rules)}`;
  const allowing = rules.find((rule) => rule.http === null);
  return allowing === undefined ? 'refuse -' : `allow ${allowing.id}`;
}

/** The object's ports, cut wherever a rule begins or ends. */
function pieces(ports: readonly PortRange[], rules: readonly CompiledRule[]): PortRange[] {
  const ranges = rules.flatMap((rule) => rule.ports ?? []);
  return ports.flatMap(({ protocol, from, to }) => {
    const cuts = new Set([from, to + 1]);
    for (const range of ranges) {
      if (range.protocol !== protocol) continue;
      for (const cut of [range.from, range.to + 1]) if (cut > from && cut <= to) cuts.add(cut);
    }
    const sorted = [...cuts].sort((a, b) => a - b);
    return sorted.slice(0, -1).map((cut, index) => ({ protocol, from: cut, to: (sorted[index + 1] ?? cut + 1) - 1 }));
  });
}

function covers(range: PortRange, protocol: string, port: number): boolean {
  return range.protocol === protocol && range.from <= port && port <= range.to;
}

/** In the order of the verdict: what denies before what allows, each by id; the first that matches decides. */
function alternativesOf(rules: readonly CompiledRule[]): string[] {
  const sorted = [...rules].sort(
    (a, b) => Number(a.action === 'allow') - Number(b.action === 'allow') || compareText(a.id, b.id),
  );
  return sorted.flatMap((rule) =>
    (rule.http ?? [{}]).map(({ methods, path, hosts }) =>
      [rule.action, rule.id, words(methods), path === undefined ? '*' : pathWord(path), words(hosts)].join(' '),
    ),
  );
}

function words(list: readonly string[] | undefined): string {
  return list === undefined ? '*' : list.map(plainWord).join(',');
}

function pathWord(path: string): string {
  return path.endsWith('/*') ? `${plainWord(path.slice(0, -2))}/*` : plainWord(path);
}

function recordsOf(key: string, alternatives: readonly string[]): DataRecord[] {
  const values: string[] = [];
  let value = '';
  for (const alternative of alternatives) {
    if (value !== '' && value.length + 1 + alternative.length > MAX_VALUE_CHARS) {
      values.push(`${value} +`);
      value = '';
    }
    value += value === '' ? alternative : ` ${alternative}`;
  }
  values.push(value);
  return values.map((data, index) => ({ name: index === 0 ? key : `${key}.${index}`, data }));
}
