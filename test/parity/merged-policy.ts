/**
 * Many policies as one, so that an NGINX is given all of them at once: each object keeps its rules and its sources, under a
 * name that says which policy it came from. What a policy says of an object is nobody else's business, so nothing changes.
 */
import type { CompiledPolicy, Flow } from '@edgeward/policy';
import { sha256Hex } from '@edgeward/runtime';

/** An object of the policy at this place, or a name that it does not know. */
export const mergedName = (at: number, name: string): string => `p${at}.${name}`;

export const mergedFlow = (at: number, flow: Flow): Flow => ({ ...flow, to: mergedName(at, flow.to) });

/** Revision 0. The policies are of one point. */
export function mergedPolicy(policies: readonly CompiledPolicy[]): CompiledPolicy {
  const objects = policies
    .flatMap((policy, at) =>
      policy.objects.map(({ hash: _former, ...object }) => {
        const renamed = { ...object, name: mergedName(at, object.name), bind: mergedName(at, object.bind) };
        return { ...renamed, hash: sha256Hex(JSON.stringify(renamed)) };
      }),
    )
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const hash = sha256Hex(JSON.stringify(objects.map(({ name, hash: own }) => [name, own])));
  return { format: 1, point: policies[0]?.point ?? 'edge-1', revision: 0, hash, objects };
}
