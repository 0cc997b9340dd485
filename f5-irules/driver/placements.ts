import { type Held, placementOf } from './held.ts';
import type { EnforcementRules } from './irules.ts';
import type { Placement } from './layout/index.ts';

/**
 * Where each virtual server stands: as the box lists it. What it does not list, because it is not there or not for this
 * user, keeps the route domain of its entry in force: laid out elsewhere, its records would match nobody once the rules are attached.
 */
export function placementsIn(
  { virtuals, map }: Pick<Held, 'virtuals'> & { map: { policy: NonNullable<Held['map']>['policy'] } | null },
  rules: EnforcementRules,
): Map<string, Placement> {
  const placements = new Map<string, Placement>();
  // Not whether it is blind: attached meanwhile, it would stay so; the rule itself holds what nobody judged.
  for (const [bind, { routeDomain }] of map?.policy?.entries ?? [])
    placements.set(bind, { routeDomain, judgesRequests: true });
  for (const [bind, virtual] of virtuals) placements.set(bind, placementOf(virtual, rules));
  return placements;
}
