import type { CompiledPolicy } from '@edgeward/policy';
import { sha256Hex } from '@edgeward/runtime';

/**
 * A policy as it is put in force where enforcing it was refused: the same, observed. It is another policy and has another
 * hash: whoever passed under it is judged anew when it is enforced one day.
 */
export function observedPolicy(policy: CompiledPolicy): CompiledPolicy {
  const objects = policy.objects.map((object) => ({ ...object, mode: 'observe' as const }));
  return { ...policy, hash: sha256Hex(`observed\n${policy.hash}\n`), objects };
}

/** `served`, or observed. */
export function inForm(policy: CompiledPolicy, form: 'served' | 'observe'): CompiledPolicy {
  return form === 'observe' ? observedPolicy(policy) : policy;
}

/** What is put back where there was no policy before: one that protects nothing, and lets everything pass. */
export function noPolicy(point: string, revision: number): CompiledPolicy {
  return { format: 1, point, revision, hash: NO_POLICY, objects: [] };
}

/** Of what is put back where there was none. */
export const NO_POLICY: string = sha256Hex('');
