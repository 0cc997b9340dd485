import type { CompiledPolicy } from '@edgeward/policy';

/** What has no native form at all: whoever has no module to ask must refuse a policy that needs it. */
export interface NativeRefusal {
  object: string;
  /** null: the object itself. */
  rule: string | null;
  why: string;
}

export function nativeRefusals(policy: CompiledPolicy): NativeRefusal[] {
  return policy.objects.flatMap(({ name, mode, trustedProxies, rules }) => {
    // Nothing of it is judged.
    if (mode === 'off') return [];
    const proxies = trustedProxies === null ? [] : [{ object: name, rule: null, why: 'it has trustedProxies' }];
    const conditions = rules.filter(({ http }) => http !== null);
    return [...proxies, ...conditions.map(({ id }) => ({ object: name, rule: id, why: 'it has HTTP conditions' }))];
  });
}
