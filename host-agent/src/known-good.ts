/**
 * Which policy to put in force when nothing but this host is there to ask: the one in force as the state says, or the one that
 * was being taken over if the kernel has begun with it. Reads, and writes nothing.
 */
import type { CompiledPolicy } from '@edgeward/policy';
import { type AgentState, type PolicyRef, refOf } from './agent-state.ts';
import type { InForce } from './in-force.ts';
import type { LastKnown } from './last-known.ts';
import { inForm } from './safety/observed-policy.ts';

export interface KnownGood {
  ref: PolicyRef;
  form: AgentState['form'];
  /** As it was served. */
  served: CompiledPolicy;
  /** In the form that is put in force. */
  policy: CompiledPolicy;
  /** It was being taken over when the agent ended. */
  begun: boolean;
  /** The kernel takes it under this number, or its own where that is higher. */
  numberAtLeast: number;
}

type Read = Omit<KnownGood, 'numberAtLeast'>;

export async function knownGood(known: LastKnown, kernel: InForce | null): Promise<KnownGood | null> {
  const found = await readBest(known, kernel);
  if (found === null) return null;
  const { numberAtLeast } = known.state();
  // What came later may stand where its file is not to be used any more: no lower number is taken instead of it.
  const needed = Math.max(numberAtLeast, kernel?.highest ?? 0);
  return { ...found, numberAtLeast: needed > found.ref.revision ? needed : numberAtLeast };
}

async function readBest(known: LastKnown, kernel: InForce | null): Promise<Read | null> {
  const { current, form, next, probation } = known.state();
  if (next !== null) {
    const begun = await readOne(known, refOf(next), 'served');
    // Half of it stands already: the older one would be refused, and the newer one was checked before it was begun.
    const hashes = kernel?.hashes ?? [];
    if (begun !== null && hashes.includes(begun.policy.hash)) return { ...begun, begun: true };
    const observed = begun === null ? null : knownIn(begun, 'observe');
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

async function readOne(known: LastKnown, ref: PolicyRef, form: AgentState['form']): Promise<Read | null> {
  const served = await known.policy(ref);
  return served === null ? null : knownIn({ ref, form, served, policy: served, begun: false }, form);
}

function knownIn(found: Read, form: AgentState['form']): Read {
  return { ...found, form, policy: inForm(found.served, form) };
}
