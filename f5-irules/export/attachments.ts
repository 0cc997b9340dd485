/** Which virtual servers must get our rules, and what their lists of rules were before. */
import type { CompiledPolicy } from '@edgeward/policy';
import type { EnforcementRules } from '../driver/irules.ts';
import { isOwnRule, withOwnRules } from '../driver/review/own-rules.ts';
import type { HeldBox } from './examination.ts';

/**
 * `unknown`: nobody looked. `missing`: there is no such virtual server. `blind`: connections are judged and requests are
 * not, so that the map denies what needs a request; attaching the other rule asks for another export.
 */
export interface Attachment {
  object: string;
  bind: string;
  protocol: 'http' | 'tcp';
  state: 'unknown' | 'missing' | 'none' | 'partly' | 'blind' | 'attached';
  routeDomain: number;
  /** What it needs of ours, in order. */
  needed: string[];
  /** As they are now. */
  before: string[];
  /** Ours first: of equal priorities the rule that is attached first runs first. */
  after: string[];
}

export function attachmentsOf(policy: CompiledPolicy, rules: EnforcementRules, held: HeldBox | null): Attachment[] {
  return policy.objects.map(({ name, bind, protocol }) => {
    const own = [rules.l4.fullPath, rules.l7.fullPath];
    const needed = protocol === 'http' ? own : own.slice(0, 1);
    const virtual = held?.virtuals.get(bind);
    const before = virtual?.rules ?? [];
    const after = withOwnRules(before, needed);
    const base = { object: name, bind, protocol, routeDomain: virtual?.routeDomain ?? 0, needed, before, after };
    if (virtual === undefined) return { ...base, state: held === null ? 'unknown' : 'missing' };
    return { ...base, state: stateOf(needed, before) };
  });
}

function stateOf(needed: readonly string[], before: readonly string[]): Attachment['state'] {
  const there = needed.filter((rule) => before.includes(rule));
  // An older version of ours, or a rule that the protocol does not need, has to go.
  const isSurplus = before.some((rule) => isOwnRule(rule) && !needed.includes(rule));
  if (there.length === needed.length) return isSurplus ? 'partly' : 'attached';
  if (there.length === 0) return 'none';
  return there[0] === needed[0] ? 'blind' : 'partly';
}
