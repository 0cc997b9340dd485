/**
 * Which policy to put in force when nothing but this host is there to ask: the one in force as the state says, or the one that
 * was being taken over if the kernel has begun with it. Reads, and writes nothing.
 */
import type { CompiledPolicy } from '@edgeward/policy';
import type { AgentState, PolicyRef } from './agent-state.ts';
import type { InForce } from './in-force.ts';
import type { LastKnown } from './last-known.ts';
import { observedPolicy } from './safety/observed-policy.ts';

export interface KnownGood {
  ref: PolicyRef;
  form: AgentState['form'];
  /** As it was served. */
  served: CompiledPolicy;
  /** In the form that is put in force. */
  policy: CompiledPolicy;
  /** It was being taken over when the agent ended. */
  begun: boolean;
}

export async function knownGood(known: LastKnown, kernel: InForce | null): Promise<KnownGood | null> {
  const { current, form, next, probation } = known.state();
  if (next !== null) {
    const begun = await readOne(known, next, 'served');
    // Half of it stands already: the older one would be refused, and the newer one was checked before it was begun.
    const hashes = kernel?.hashes ?? [];
    if (begun !== null && hashes.includes(begun.policy.hash)) return { ...begun, begun: true };
    const observed = begun === null ? null : inForm(begun, 'observe');
    if (observed !== null && hashes.includes(observed.policy.hash)) return { ...observed, begun: true };
  }
  if (current !== null) {
    const found = await readOne(known, current, form);
    if (found !== null) return found;
  }
  // What is damaged is never believed; the one before it is still a policy of this host.
  const before = probation?.previous ?? null;
  return before === null ? null : readOne(known, before, probation?.previousForm ?? 'served');
}

async function readOne(known: LastKnown, ref: PolicyRef, form: AgentState['form']): Promise<KnownGood | null> {
  const served = await known.policy(ref);
  return served === null ? null : inForm({ ref, form, served, policy: served, begun: false }, form);
}

function inForm(found: KnownGood, form: AgentState['form']): KnownGood {
  return { ...found, form, policy: form === 'observe' ? observedPolicy(found.served) : found.served };
}
