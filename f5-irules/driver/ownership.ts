import { EdgewardError } from '@edgeward/runtime';
import { inPartition } from './box-paths.ts';
import { MAP, MAP_HEAD, type PolicyMap } from './layout/index.ts';

/**
 * A box belongs to the point whose name stands in the head of its map. Two points at one box, of one service or of two,
 * would replace each other's policy for ever. Throws EDW_ERR_POINT_TAKEN; a head without a name is anybody's.
 */
export function requireOwnBox(point: string, unit: string, policy: PolicyMap | null): void {
  const head = policy?.head;
  if (head === undefined || head.point === null || head.point === point) return;
  const map = inPartition(MAP);
  const nameless = `1 ${head.revision} ${head.policyHash} ${head.mapHash}`;
  throw new EdgewardError(
    'EDW_ERR_POINT_TAKEN',
    `looking at ${unit} for ${point}: ${map} holds the policy of the point ${head.point}, revision ${head.revision}`,
    {
      mend: `Give each BIG-IP one point, in one service. If ${head.point} was renamed, take its name out: tmsh modify ltm data-group internal ${map} records modify { ${MAP_HEAD} { data "${nameless}" } }`,
    },
  );
}
