import { EdgewardError } from '@edgeward/runtime';
import { INTERNAL_GROUPS, inPartition } from './box-paths.ts';
import { requireActive, type Unit } from './cluster.ts';
import { equalRecords, type HeldMap, readHeldMap } from './held.ts';
import { type Json, objectPath } from './icontrol/index.ts';
import { type Layout, MAP, PARTITION } from './layout/index.ts';

/**
 * The one write by which a policy comes into force, and what must be true just before it: the box would take it, the unit
 * is still the active one, and nobody wrote the map since it was read. iControl REST has no compare-and-swap, so a moment
 * remains; whoever writes in it is found by reading back.
 */
export interface Switch {
  point: string;
  unit: Unit;
  /** As it was read before anything was written; null where there was none. */
  before: HeldMap | null;
  layout: Layout;
}

/** Throws EDW_ERR_POINT_TAKEN, EDW_ERR_BIGIP_FAILOVER, EDW_ERR_BIGIP_READ_BACK, and what the box refuses. */
export async function switchMap({ point, unit, before, layout }: Switch): Promise<void> {
  const { box } = unit;
  const path = objectPath(INTERNAL_GROUPS, inPartition(MAP));
  const content = { description: describe(layout), records: layout.map };
  const whole: Json = { name: MAP, partition: PARTITION, type: 'string', ...content };
  await box.validate(
    before === null ? { method: 'POST', path: INTERNAL_GROUPS, body: whole } : { method: 'PATCH', path, body: content },
  );
  if (unit.pair !== null) await requireActive(point, unit, `switching to revision ${layout.revision}`);
  await requireUntouched(point, unit, before, layout);
  if (before === null) await box.create(INTERNAL_GROUPS, whole).catch((cause) => throwTaken(cause, point, layout));
  else await box.modify(path, content);
  const after = await readHeldMap(box);
  if (after !== null && equalRecords(after.records, layout.map)) return;
  throw new EdgewardError(
    'EDW_ERR_BIGIP_READ_BACK',
    `switching ${point} to revision ${layout.revision}: the map does not read back as it was written`,
    { mend: 'Find out who else writes to the partition Edgeward. The next attempt writes the map again.' },
  );
}

/** Tells a person, and the probe, what the map holds; nothing is read from it. */
function describe({ revision, policyHash }: Layout): string {
  return `Edgeward revision ${revision}, policy ${policyHash.slice(0, 16)}`;
}

async function requireUntouched(point: string, unit: Unit, before: HeldMap | null, layout: Layout): Promise<void> {
  const path = objectPath(INTERNAL_GROUPS, inPartition(MAP));
  const now = await unit.box.get(path, { $select: 'generation' });
  const generation = now === null ? null : Number(now.generation);
  if (generation !== (before?.generation ?? null)) throw taken(point, layout);
}

function throwTaken(cause: unknown, point: string, layout: Layout): never {
  if (cause instanceof EdgewardError && cause.code === 'EDW_ERR_BIGIP_EXISTS') throw taken(point, layout);
  throw cause;
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
