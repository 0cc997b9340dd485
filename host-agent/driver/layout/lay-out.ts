import { type CompiledObject, type CompiledPolicy, type IntervalTable, type Labelled, unpack } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import { failsafeOf, familyLayout, openFamily } from './chains.ts';
import type { Family, FamilyLayout, HostLayout, HostOptions } from './host-layout.ts';
import { generationFor, type InForce } from './mark.ts';
import { offersOf } from './offers.ts';
import { hookRules } from './policy-rules.ts';

/**
 * A policy as what is to stand in a host's kernel, a pure function of its arguments: equal ones give equal layouts. Without an
 * object nothing is protected here and everything passes. `inForce` is what stands there now, so that the generation differs
 * from that of another policy.
 *
 * Throws `EDW_ERR_HOST_OBJECTS` for a policy that is not of one workload, `EDW_ERR_HOST_MARK`, `EDW_ERR_HOST_CAPACITY`.
 */
export function hostLayout(policy: CompiledPolicy, options: HostOptions, inForce: InForce | null = null): HostLayout {
  return prepareLayout(policy, options)(inForce);
}

/** The sets, which cost most, are worked out once; then a layout for whatever is in force costs next to nothing. */
export function prepareLayout(policy: CompiledPolicy, options: HostOptions): (inForce: InForce | null) => HostLayout {
  const familiesAt = prepareFamilies(policy, options);
  return (inForce) => {
    const generation = generationFor(policy.hash, options.mark, inForce);
    const kept = inForce?.hash === policy.hash ? inForce.sampled : undefined;
    const sampled = kept ?? policy.hash.slice(0, 8);
    const families = familiesAt(generation, sampled);
    return { revision: policy.revision, hash: policy.hash, generation, sampled, families };
  };
}

/** Whether somebody is denied under it. Without somebody who can always get in, a wrong policy would lock everyone out. */
export function enforces(policy: CompiledPolicy): boolean {
  const object = onlyWorkload(policy);
  return object?.mode === 'enforce' && intervalsOf(object.failsafe).length > 0;
}

type Families = Record<Family, FamilyLayout>;

function prepareFamilies(
  policy: CompiledPolicy,
  options: HostOptions,
): (generation: number, sampled: string) => Families {
  const object = onlyWorkload(policy);
  if (object === null || object.mode === 'off')
    return () => ({ inet: openFamily(options), inet6: openFamily(options) });
  const failsafe = intervalsOf(object.failsafe);
  const mode = enforces(policy) ? 'enforce' : 'observe';
  const offers = offersOf(object);
  const prepare = (family: Family, keyLength: number): ((generation: number, sampled: string) => FamilyLayout) => {
    const prepared = {
      rules: hookRules(offers[family], family, options.publishedPorts),
      failsafe: failsafeOf(
        family,
        failsafe.filter(({ lo }) => lo.length === keyLength),
      ),
    };
    return (generation, sampled) => familyLayout({ family, mode, sampled, generation, options, ...prepared });
  };
  const [inet, inet6] = [prepare('inet', 8), prepare('inet6', 32)];
  return (generation, sampled) => ({ inet: inet(generation, sampled), inet6: inet6(generation, sampled) });
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
