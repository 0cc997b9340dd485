import { EdgewardError } from '@edgeward/runtime';
import { INTERNAL_GROUPS, inPartition } from './box-paths.ts';
import { requireActive, type Unit } from './cluster.ts';
import { equalRecords, readHeldMap } from './held.ts';
import { type Icontrol, objectPath } from './icontrol/index.ts';
import { type Layout, MAP, mapDescription, PARTITION } from './layout/index.ts';

const PATH = objectPath(INTERNAL_GROUPS, inPartition(MAP));

/**
 * The one write by which a policy comes into force, and what must be true just before it: the box would take it, the unit
 * is still the active one, and nobody wrote the map since it was read. iControl REST has no compare-and-swap, so a moment
 * remains; whoever writes in it is found by reading back.
 */
export interface Switch {
  point: string;
  unit: Unit;
  /** The map's generation as it was before anything was written. */
  generation: number;
  layout: Layout;
}

/** Throws EDW_ERR_POINT_TAKEN, EDW_ERR_BIGIP_FAILOVER, EDW_ERR_BIGIP_READ_BACK, and what the box refuses. */
export async function switchMap({ point, unit, generation, layout }: Switch): Promise<void> {
  const { box } = unit;
  const body = { description: mapDescription(layout), records: layout.map };
  await box.validate({ method: 'PATCH', path: PATH, body });
  if (unit.pair !== null) await requireActive(point, unit, `switching to revision ${layout.revision}`);
  const now = await box.get(PATH, { $select: 'generation' });
  if (Number(now?.generation) !== generation) throw taken(point, layout);
  await box.modify(PATH, body);
  const after = await readHeldMap(box);
  if (after !== null && equalRecords(after.records, layout.map)) return;
  throw new EdgewardError(
    'EDW_ERR_BIGIP_READ_BACK',
    `switching ${point} to revision ${layout.revision}: the map does not read back as it was written`,
    { mend: 'Find out who else writes to the partition Edgeward. The next attempt writes the map again.' },
  );
}

/**
 * A map without records is no policy. It comes before the rules, because a box loads no rule that names a group which is
 * not there. Answers its generation.
 */
export async function createMap(box: Icontrol): Promise<number> {
  const { generation } = await box.create(INTERNAL_GROUPS, { name: MAP, partition: PARTITION, type: 'string' });
  return Number(generation);
}

function taken(point: string, { revision }: Layout): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_POINT_TAKEN',
    `switching ${point} to revision ${revision}: somebody else wrote the map since it was read`,
    {
      mend: 'Nothing to do where services share this point: the next attempt looks again. Otherwise stop the other one.',
    },
  );
}
