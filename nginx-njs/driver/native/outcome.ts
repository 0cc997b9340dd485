import type { CompiledObject, CompiledRule, LoadedPolicy, PortRange, Verdict } from '@edgeward/policy';
import { decideFor } from '@edgeward/policy';
import { listsPort } from '@edgeward/policy/dialect';
import type { Stretch } from './ports.ts';

/**
 * What `decide` says of one class of sources on one port, where that depends on nothing of the request, or on its method
 * alone. What a policy means is asked of `decide`, with a view that holds these rules; only what must be known to choose
 * the questions is read here.
 */
export type Outcome =
  | { state: 'said'; verdict: Verdict }
  /** By method, and what holds for every other; where the path can be read without doubt. */
  | { state: 'by-method'; methods: Record<string, Verdict>; other: Verdict }
  /** A path or a host decides. */
  | { state: 'unsayable' };

/** A method that no rule names; the longest that there is in the registry is shorter. */
const OTHER_METHOD = 'EDGEWARD-NATIVE-OTHER-METHOD';

/** `at`: any port of the stretch stands for all. */
export function outcomeOf(object: CompiledObject, rules: CompiledRule[], at: Stretch): Outcome {
  const onPort = rules.filter((rule) => rule.ports === null || holdsPort(rule.ports, at));
  const said = (method: string): Verdict => verdictOf(object, rules, at, method);
  const conditions = onPort.flatMap((rule) => rule.http ?? []);
  const isBlanket = onPort.some((rule) => rule.action === 'deny' && rule.http === null);
  if (conditions.length === 0 || isBlanket) return { state: 'said', verdict: said('GET') };
  if (conditions.some(({ path, hosts }) => path !== undefined || hosts !== undefined)) return { state: 'unsayable' };
  const named = [...new Set(conditions.flatMap(({ methods }) => methods ?? []))].sort();
  const methods = Object.fromEntries(named.map((method) => [method, said(method)]));
  return { state: 'by-method', methods, other: said(OTHER_METHOD) };
}

function holdsPort(ranges: readonly PortRange[], at: Stretch): boolean {
  return ranges.some(({ protocol, from, to }) => protocol === at.protocol && from <= at.from && at.from <= to);
}

function verdictOf(object: CompiledObject, rules: CompiledRule[], at: Stretch, method: string): Verdict {
  const { protocol, mode } = object;
  const view: LoadedPolicy = {
    loaded: true,
    revision: 0,
    // Which source it is decides nothing beyond the rules that name it: trusted proxies are cut out before.
    object: () => ({
      protocol,
      mode,
      lists: (word) => listsPort(object.ports, word),
      trusts: () => false,
      inFailsafe: () => false,
      rulesNaming: () => rules,
    }),
  };
  return decideFor(view, '00000000', {
    from: '',
    to: object.name,
    port: `${at.protocol}/${at.from}`,
    method,
    path: '/',
  });
}
