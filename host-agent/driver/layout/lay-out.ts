import { type CompiledObject, type CompiledPolicy, type IntervalTable, type Labelled, unpack } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import { familyLayout, openFamily } from './chains.ts';
import type { Family, FamilyLayout, HostLayout, HostOptions } from './host-layout.ts';
import { generationFor, type InForce } from './mark.ts';
import { offersOf } from './offers.ts';

/**
 * A policy as what is to stand in a host's kernel, a pure function of its arguments: equal ones give equal layouts. Without an
 * object nothing is protected here and everything passes. `inForce` is what stands there now, so that the generation differs
 * from that of another policy.
 *
 * Throws `EDW_ERR_HOST_OBJECTS` for a policy that is not of one workload, `EDW_ERR_HOST_MARK`, `EDW_ERR_HOST_CAPACITY`.
 */
export function hostLayout(policy: CompiledPolicy, options: HostOptions, inForce: InForce | null = null): HostLayout {
  const generation = generationFor(policy.hash, options.mark, inForce);
  const families = familiesOf(policy, options, generation);
  return { revision: policy.revision, hash: policy.hash, generation, families };
}

function familiesOf(policy: CompiledPolicy, options: HostOptions, generation: number): Record<Family, FamilyLayout> {
  const object = onlyWorkload(policy);
  if (object === null || object.mode === 'off') return { inet: openFamily(options), inet6: openFamily(options) };
  const failsafe = intervalsOf(object.failsafe);
  // Without somebody who can always get in, a wrong policy would lock everyone out.
  const mode = object.mode === 'enforce' && failsafe.length > 0 ? 'enforce' : 'observe';
  const offers = offersOf(object);
  const familyOf = (family: Family, keyLength: number): FamilyLayout =>
    familyLayout({
      family,
      mode,
      policyHash: policy.hash,
      generation,
      options,
      offers: offers[family],
      failsafe: failsafe.filter(({ lo }) => lo.length === keyLength),
    });
  return { inet: familyOf('inet', 8), inet6: familyOf('inet6', 32) };
}

function onlyWorkload({ objects, point }: CompiledPolicy): CompiledObject | null {
  const [object, ...others] = objects;
  if (object === undefined) return null;
  if (others.length === 0 && object.kind === 'workload') return object;
  const found = others.length === 0 ? `a ${object.kind}` : `${objects.length} objects`;
  throw new EdgewardError(
    'EDW_ERR_HOST_OBJECTS',
    `laying out the policy of ${point} for a host: it protects ${found}`,
    {
      mend: 'Let exactly one Workload document name this point, and no VirtualServer.',
    },
  );
}

function intervalsOf(table: IntervalTable | null): Labelled[] {
  return table === null ? [] : unpack(table);
}
