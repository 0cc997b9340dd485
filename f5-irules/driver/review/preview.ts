import { type CompiledPolicy, compareText } from '@edgeward/policy';
import { createLogger, EdgewardError } from '@edgeward/runtime';
import { applyPolicy } from '../apply.ts';
import { activeUnit } from '../cluster.ts';
import { listGroups } from '../groups.ts';
import { findHazards, type Hazard, unusableHazards } from '../hazards.ts';
import { type Held, readHeld, repairsOf } from '../held.ts';
import type { Icontrol } from '../icontrol/index.ts';
import type { EnforcementRules } from '../irules.ts';
import { unknownBox } from '../known-box.ts';
import { type DataRecord, type Layout, layOut, readMap, withRepairs } from '../layout/index.ts';
import { emptyMeta, keptSets } from '../meta.ts';
import { placementsIn } from '../placements.ts';
import { isEmpty, type Plan, planOf } from '../plan.ts';
import { compareObjects, type ObjectChange } from './object-changes.ts';
import { type PlannedCall, rehearse } from './rehearsal.ts';

/** What an apply of a policy would change on the active unit, and by which calls. Sends GETs only. */
export interface Preview {
  point: string;
  /** As the box calls itself. */
  unit: string;
  url: string;
  /** `to` is the next number; the sync service may have given out later ones meanwhile. */
  revision: { from: number | null; to: number };
  policy: { from: string | null; to: string };
  objects: ObjectChange[];
  rules: { rule: string; does: 'create' | 'mend' }[];
  groups: PlannedGroup[];
  /** In order; after an obstacle there are none. */
  calls: PlannedCall[];
  /** Names of groups that no recent revision would use any more: a later apply deletes them. */
  collectable: string[];
  hazards: Hazard[];
  /** What would stop the apply. */
  obstacle: { code: string; message: string; mend: string } | null;
}

interface PlannedGroup {
  name: string;
  does: 'create' | 'mend';
  type: 'ip' | 'string';
  storage: 'internal' | 'external';
  records: number;
  /** Of the external form. */
  bytes: number;
}

export interface PreviewTask {
  point: string;
  boxes: readonly Icontrol[];
  rules: EnforcementRules;
  /** Of any revision. */
  policy: CompiledPolicy;
  syncOthersChanges: boolean;
  keptRevisions?: number;
}

/** What an apply may end with that belongs to the answer; everything else is a failure to look. */
const OBSTACLES = new Set([
  'EDW_ERR_BIGIP_PARTITION',
  'EDW_ERR_BIGIP_FOREIGN_CHANGES',
  'EDW_ERR_BIGIP_NOT_SYNCED',
  'EDW_ERR_BIGIP_GROUP',
  'EDW_ERR_POINT_TAKEN',
]);

export async function previewPolicy(task: PreviewTask): Promise<Preview> {
  const { point, rules, keptRevisions = 3 } = task;
  const rehearsal = rehearse(task.boxes);
  const known = unknownBox();
  const { box, name } = await activeUnit(point, rehearsal.boxes, null);
  const held = await readHeld(box);
  const policy = numbered(task.policy, held);
  const layout = withRepairs(layOut(policy, placementsIn(held, rules), known.memo), repairsOf(held));
  const nowMs = Date.now();
  const plan = await planOf({ box, known, held, layout, rules, nowMs });
  const objects = await compareObjects({ box, held, layout, policy, damaged: damagedIn(plan) });
  const hazards = [
    ...unusableHazards(layout),
    ...(await findHazards(box, readMap(layout.map)?.entries ?? new Map(), rules)),
  ];
  const collectable = isEmpty(plan) ? [] : await collectableIn(box, held, layout, keptRevisions);
  const apply = async (): Promise<unknown> =>
    applyPolicy(
      {
        ...{ point, boxes: rehearsal.boxes, rules, known, logger: createLogger({ level: 'silent' }), keptRevisions },
        // Nothing is waited for, and nothing is old enough to be deleted.
        ...{ graceMs: Number.POSITIVE_INFINITY, syncOthersChanges: task.syncOthersChanges, syncTimeoutMs: 1 },
      },
      policy,
    );
  return {
    ...{ point, unit: name, url: box.url, objects, hazards, collectable },
    revision: { from: held.map?.policy?.head.revision ?? null, to: policy.revision },
    policy: { from: held.map?.policy?.head.policyHash ?? null, to: policy.hash },
    rules: plan.rules.map(({ rule, exists }) => ({ rule: rule.fullPath, does: exists ? 'mend' : 'create' })),
    groups: plan.groups.map(plannedGroup),
    obstacle: await obstacleTo(apply),
    calls: rehearsal.calls(),
  };
}

/** Whether anything at all would be written, or would have to be. */
export function changesNothing({ calls, obstacle }: Preview): boolean {
  return calls.length === 0 && obstacle === null;
}

/** The same policy keeps its number; another one gets the next. */
export function numbered(policy: CompiledPolicy, held: Held): CompiledPolicy {
  const { head } = held.map?.policy ?? {};
  if (head === undefined) return { ...policy, revision: 1 };
  return { ...policy, revision: head.policyHash === policy.hash ? head.revision : head.revision + 1 };
}

function damagedIn({ groups }: Plan): Map<string, readonly DataRecord[] | null> {
  const damaged = new Map<string, readonly DataRecord[] | null>();
  for (const change of groups) {
    if (change.do !== 'repair') continue;
    const { found, group } = change;
    damaged.set(group.name, found.state === 'damaged' ? found.records : found.state === 'gone' ? [] : null);
  }
  return damaged;
}

function plannedGroup({ do: does, group }: Plan['groups'][number]): PlannedGroup {
  const { name, type, storage, size, bytes } = group;
  return { name, does: does === 'create' ? 'create' : 'mend', type, storage, records: size, bytes };
}

async function collectableIn(box: Icontrol, held: Held, layout: Layout, keptRevisions: number): Promise<string[]> {
  const names = layout.groups.map(({ name }) => name).sort(compareText);
  const after = { revision: layout.revision, names };
  const kept = new Set(
    [...keptSets(held.meta ?? emptyMeta, held.map?.policy ?? null, after, keptRevisions).values()].flat(),
  );
  return [...(await listGroups(box)).keys()].filter((name) => !kept.has(name)).sort(compareText);
}

async function obstacleTo(apply: () => Promise<unknown>): Promise<Preview['obstacle']> {
  try {
    await apply();
    return null;
  } catch (thrown) {
    if (!(thrown instanceof EdgewardError) || !OBSTACLES.has(thrown.code)) throw thrown;
    const { code, message, mend } = thrown;
    return { code, message, mend };
  }
}
