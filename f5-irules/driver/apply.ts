import { type Applied, revisionOlder } from '@edgeward/enforcement-point';
import { type CompiledPolicy, compareText } from '@edgeward/policy';
import { EdgewardError, type Logger } from '@edgeward/runtime';
import { INTERNAL_GROUPS, inPartition, OWN_PARTITION, RULES, SYSTEM_CONFIG } from './box-paths.ts';
import { activeUnit, type Unit } from './cluster.ts';
import { collect } from './collect.ts';
import { createGroup, repairGroup } from './group-writes.ts';
import { examine, forgetOld, listGroups } from './groups.ts';
import { type Held, placementOf, readHeld } from './held.ts';
import { type Icontrol, objectPath } from './icontrol/index.ts';
import type { EnforcementRules } from './irules.ts';
import type { KnownBox } from './known-box.ts';
import { type Layout, layOut, META, PARTITION } from './layout/index.ts';
import { emptyMeta, keptSets, type Meta, metaRecords, OTHERS, sameMeta } from './meta.ts';
import { beginSync, endSync, type SyncPlan } from './pair-sync.ts';
import { isEmpty, type Plan, planOf, type RuleChange } from './plan.ts';
import { createMap, switchMap } from './switch.ts';

/**
 * Makes a policy the one in force on the active unit: what is missing is written beside what is there, compared, and then
 * one write switches. Killed anywhere, the old policy or the new one is in force, whole, and the next apply goes on.
 */
export interface Application {
  point: string;
  boxes: readonly Icontrol[];
  rules: EnforcementRules;
  known: KnownBox;
  logger: Logger;
  keptRevisions: number;
  graceMs: number;
  syncOthersChanges: boolean;
  syncTimeoutMs: number;
}

export async function applyPolicy(to: Application, desired: CompiledPolicy): Promise<Applied> {
  const { point, boxes, known, rules } = to;
  const before = sentBy(boxes);
  const unit = await activeUnit(point, boxes, known.active);
  known.active = unit.box.url;
  const held = await readHeld(unit.box);
  const { head } = held.map?.policy ?? {};
  if (head !== undefined && head.revision > desired.revision)
    throw revisionOlder(point, desired.revision, head.revision);
  const placements = new Map([...held.virtuals].map(([bind, virtual]) => [bind, placementOf(virtual, rules)]));
  const layout = layOut(desired, placements, known.memo);
  const task = { ...to, unit, held, layout, nowMs: Date.now() };
  const plan = await planOf({ ...task, box: unit.box });
  const sync = await beginSync(task, held.meta);
  if (!isEmpty(plan)) await carryOut(task, plan, sync);
  known.layout = layout;
  if (sync !== null) await endSync(task, sync, layout.revision, !isEmpty(plan));
  const after = sentBy(boxes);
  return { revision: layout.revision, writes: after.writes - before.writes, bytes: after.bytes - before.bytes };
}

interface Task extends Application {
  unit: Unit;
  held: Held;
  layout: Layout;
  nowMs: number;
}

async function carryOut(task: Task, plan: Plan, sync: SyncPlan | null): Promise<void> {
  const { point, unit, held, layout, nowMs } = task;
  const { box } = unit;
  await requirePartition(task);
  const meta = await markBeginning(task, sync);
  const generation = held.map?.generation ?? (await createMap(box));
  for (const change of plan.rules) await writeRule(box, change);
  await writeGroups(task, plan);
  if (plan.switches) await switchMap({ point, unit, generation, layout });
  const next = metaAfter(task, meta ?? emptyMeta, plan, sync);
  if (plan.switches) await clearAway(task, next);
  await save(box);
  if (meta === null || !sameMeta(meta, next)) {
    // Only now: a meta that tells this policy says that it was saved.
    await writeMeta(box, meta, next);
    // A box that reboots would come back without knowing it, and its pair would wait for a config-sync.
    await save(box);
  }
  forgetOld(task.known.verified, nowMs);
}

async function requirePartition({ point, unit, held, layout }: Task): Promise<void> {
  if (held.map !== null || (await unit.box.get(OWN_PARTITION)) !== null) return;
  throw new EdgewardError(
    'EDW_ERR_BIGIP_PARTITION',
    `applying revision ${layout.revision} to ${point}: ${unit.name} has no partition ${PARTITION}`,
    { mend: `Make it: tmsh create auth partition ${PARTITION}. Then give the user of this point a role in it.` },
  );
}

/** Of a pair: whoever comes after us must know that it was in sync when we began. Answers the meta that stands now. */
async function markBeginning({ unit, held, known, nowMs }: Task, sync: SyncPlan | null): Promise<Meta | null> {
  if (sync?.end !== 'command') return held.meta;
  known.waiting = 'ours';
  const marked = { ...(held.meta ?? emptyMeta), syncing: new Date(nowMs).toISOString() };
  await writeMeta(unit.box, held.meta, marked);
  return marked;
}

async function writeRule(box: Icontrol, { rule, exists }: RuleChange): Promise<void> {
  const content = { apiAnonymous: rule.text };
  if (exists) await box.modify(objectPath(RULES, rule.fullPath), content);
  else await box.create(RULES, { name: rule.name, partition: PARTITION, ...content });
}

/** Whatever an answer said, only what reads back whole is switched to. */
async function writeGroups({ point, unit, layout, known, logger, nowMs }: Task, plan: Plan): Promise<void> {
  const { box } = unit;
  for (const change of plan.groups) {
    if (change.do === 'create') await createGroup(box, change.group, logger);
    else await repairGroup(box, change, logger);
  }
  const stored = await listGroups(box);
  for (const { name } of layout.groups) {
    const there = stored.get(name);
    const found = there === undefined ? ({ state: 'gone' } as const) : await examine(box, there, known.verified, nowMs);
    if (found.state === 'whole') continue;
    const words = found.state === 'gone' ? 'is gone' : found.words;
    throw new EdgewardError(
      'EDW_ERR_BIGIP_READ_BACK',
      `applying revision ${layout.revision} to ${point}: ${inPartition(name)} was written, and ${words}`,
      { mend: 'Find out who else writes to the partition Edgeward. The next attempt writes this group again.' },
    );
  }
}

function metaAfter(task: Task, meta: Meta, plan: Plan, sync: SyncPlan | null): Meta {
  const { held, layout, keptRevisions, nowMs } = task;
  const { revision, policyHash } = layout;
  const names = layout.groups.map(({ name }) => name).sort(compareText);
  const sets = keptSets(meta, held.map?.policy ?? null, { revision, names }, keptRevisions);
  const isNew = plan.switches || plan.finishes || meta.applied === null;
  const applied = isNew ? new Date(nowMs).toISOString() : meta.applied;
  // What a repair writes is what the other unit has: that changes of others wait matters to a new policy only.
  const isLeft = isNew && (sync?.end === 'leave' || sync?.end === 'apart');
  return { saved: { revision, policyHash }, sets, applied, syncing: isLeft ? OTHERS : meta.syncing };
}

async function save(box: Icontrol): Promise<void> {
  await box.run(SYSTEM_CONFIG, { command: 'save' });
}

async function clearAway({ unit, known, logger, layout, graceMs, nowMs }: Task, meta: Meta): Promise<void> {
  const inForce = new Set(layout.groups.map(({ name }) => name));
  const kept = new Set([...meta.sets.values()].flat());
  await collect({ box: unit.box, known, logger, inForce, kept, graceMs, nowMs });
}

async function writeMeta(box: Icontrol, before: Meta | null, meta: Meta): Promise<void> {
  const records = metaRecords(meta);
  if (before !== null) await box.modify(objectPath(INTERNAL_GROUPS, inPartition(META)), { records });
  else await box.create(INTERNAL_GROUPS, { name: META, partition: PARTITION, type: 'string', records });
}

function sentBy(boxes: readonly Icontrol[]): { writes: number; bytes: number } {
  const sent = boxes.map((box) => box.sent());
  return {
    writes: sent.reduce((sum, { writes }) => sum + writes, 0),
    bytes: sent.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}
