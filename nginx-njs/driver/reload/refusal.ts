import type { CompiledPolicy } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import { nativeRefusals } from '../native/index.ts';

/**
 * A policy that NGINX can't judge by itself is refused whole: without its conditions a rule would let in more, or keep
 * out less, than it says. Throws EDW_ERR_NGINX_NEEDS_NJS.
 */
const MOST_NAMED = 5;

export function refuseUnsayable(policy: CompiledPolicy): void {
  const refusals = nativeRefusals(policy);
  if (refusals.length === 0) return;
  const named = refusals.slice(0, MOST_NAMED).map(({ object, rule, why }) => {
    return rule === null ? `object ${object}: ${why}` : `rule ${rule} of object ${object}: ${why}`;
  });
  const more = refusals.length > named.length ? [`and ${refusals.length - named.length} more`] : [];
  throw new EdgewardError(
    'EDW_ERR_NGINX_NEEDS_NJS',
    `compiling revision ${policy.revision} for ${policy.point}, an NGINX in reload mode: ${[...named, ...more].join('; ')}`,
    {
      mend: 'Narrow `to` of the rule so that it does not reach this object, or take the conditions or trustedProxies out; or give the point njs 0.8.1 or newer and `mode: live`. What was in force stays.',
    },
  );
}
