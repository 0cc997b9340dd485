import { formatPortRange, type Interval, type PortRange, type SourceTerm } from '@edgeward/policy';
import { canonicalJson } from '@edgeward/policy-format';
import type { PolicyView, RuleView } from './policy-view.ts';

/**
 * What each object lets in, term by term over all of its allow rules. How it is cut up into rules and terms, and what
 * they are called, makes no difference to whoever comes through: so sums and comparisons are made here, by object.
 */
export interface Opening extends Source {
  /** Of the object, as far as the rule opens them. */
  ports: readonly PortRange[];
  /** The same in one form. */
  portsText: string;
}

interface Source {
  rule: string;
  term: SourceTerm;
  /** Of the term, in one form. */
  spelling: string;
  /** By labels: the fence. */
  addresses: readonly Interval[];
  /** Of a network. */
  except: readonly Interval[];
  /** Conditions in one form; null: every request. */
  http: string | null;
  /** Of the rule; null: never. */
  untilMs: number | null;
  /** Of the rule, or its network if that is earlier. */
  endsMs: number | null;
}

const EVERYBODY: readonly Interval[] = [
  { lo: '0'.repeat(8), hi: 'f'.repeat(8) },
  { lo: '0'.repeat(32), hi: 'f'.repeat(32) },
];

/** By name of the object; one that lets nobody in is left out. Objects that let in the same share one list. */
export function openingsOf(view: PolicyView): Map<string, readonly Opening[]> {
  const parts: Opening[][] = [];
  const partsAt = new Map<string, number[]>();
  for (const rule of view.rules.values()) {
    if (rule.rule.action !== 'allow') continue;
    const sources = rule.terms.map((term) => sourceOf(rule, term, view));
    const byPorts = new Map<string, number>();
    for (const [object, ports] of rule.reach) {
      const portsText = ports.map(formatPortRange).join();
      const part = byPorts.get(portsText) ?? parts.push(sources.map((it) => ({ ...it, ports, portsText }))) - 1;
      byPorts.set(portsText, part);
      partsAt.set(object, partsAt.get(object) ?? []);
      partsAt.get(object)?.push(part);
    }
  }
  return joinParts(partsAt, parts);
}

function joinParts(partsAt: Map<string, number[]>, parts: readonly Opening[][]): Map<string, readonly Opening[]> {
  const lists = new Map<string, Opening[]>();
  const out = new Map<string, readonly Opening[]>();
  for (const [object, numbers] of partsAt) {
    const key = numbers.join();
    const list = lists.get(key) ?? numbers.flatMap((it) => parts[it] ?? []);
    lists.set(key, list);
    out.set(object, list);
  }
  return out;
}

function sourceOf({ rule }: RuleView, term: SourceTerm, view: PolicyView): Source {
  const network = term.kind === 'network' ? view.networks.get(term.name) : undefined;
  const untilMs = rule.untilMs;
  return {
    rule: rule.id,
    term,
    spelling: canonicalJson(term),
    addresses: network?.cidrs ?? addressesOf(term),
    except: network?.except ?? [],
    http: rule.http === null ? null : canonicalJson(rule.http),
    untilMs,
    endsMs: earlier(untilMs, network?.expiresMs ?? null),
  };
}

function addressesOf(term: SourceTerm): readonly Interval[] {
  if (term.kind === 'cidr') return [term.interval];
  if (term.kind === 'network') return [];
  return term.kind === 'any' ? EVERYBODY : (term.within ?? EVERYBODY);
}

function earlier(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}
