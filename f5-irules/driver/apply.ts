import { type Applied, revisionOlder } from '@edgeward/enforcement-point';
import { type CompiledPolicy, compareText } from '@edgeward/policy';
import { EdgewardError, type Logger, messageOf } from '@edgeward/runtime';
import { INTERNAL_GROUPS, inPartition, OWN_PARTITION, OWN_SAVE, RULES, SYSTEM_CONFIG } from './box-paths.ts';
import { activeUnit, type Unit } from './cluster.ts';
import { collect } from './collect.ts';
import { createGroup, repairGroup } from './group-writes.ts';
import { examine, forgetOld, listGroups } from './groups.ts';
import { type Held, readHeld, repairsOf } from './held.ts';
import { type Icontrol, objectPath } from './icontrol/index.ts';
import type { EnforcementRules } from './irules.ts';
import type { KnownBox, Refusable } from './known-box.ts';
import { type Layout, layOut, META, PARTITION, withRepairs } from './layout/index.ts';
import { emptyMeta, keptSets, type Meta, metaRecords, sameMeta } from './meta.ts';
import { requireOwnBox } from './ownership.ts';
import { beginSync, endSync, rememberOwn, type SyncPlan } from './pair-sync.ts';
import { placementsIn } from './placements.ts';
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
  requireOwnBox(desired.point, unit.name, held.map?.policy ?? null);
  const { head } = held.map?.policy ?? {};
  if (head !== undefined && head.revision > desired.revision)
    throw revisionOlder(point, desired.revision, head.revision);
  const repairs = repairsOf(held);
  const wanted = withRepairs(layOut(desired, placementsIn(held, rules), known.memo), repairs);
  const looked = { ...to, unit, held, nowMs: Date.now() };
  const plan = await planOf({ ...looked, layout: wanted, box: unit.box });
  const layout = plan.repairs ? withRepairs(wanted, repairs + 1) : wanted;
  const task = { ...looked, layout, repairs: plan.repairs ? repairs + 1 : repairs };
  const sync = await beginSync(task);
  let wrote = false;
  try {
    if (!isEmpty(plan)) wrote = await carryOut(task, plan, sync);
  } catch (thrown) {
    if (sync !== null) await rememberOwn(task, sync);
    throw thrown;
  }
  known.layout = layout;
  if (sync !== null) await asAllowed(task, 'sync', () => endSync(task, sync, layout.revision, wrote));
  const after = sentBy(boxes);
  return { revision: layout.revision, writes: after.writes - before.writes, bytes: after.bytes - before.bytes };
}

interface Task extends Application {
  unit: Unit;
  held: Held;
  layout: Layout;
  /** How often groups were repaired in place, this time included. */
  repairs: number;
  nowMs: number;
}

/** Whether anything was written. A save that is refused again is not: a config-sync would carry what others begin now. */
async function carryOut(task: Task, plan: Plan, sync: SyncPlan | null): Promise<boolean> {
  const { point, unit, held, layout, nowMs } = task;
  const { box } = unit;
  await requirePartition(task);
  const { known } = task;
  if (sync?.end === 'command') known.waiting = 'ours';
  const meta = await markRepairs(task, plan);
  const generation = held.map?.generation ?? (await createMap(box));
  for (const change of plan.rules) await writeRule(box, change);
  await writeGroups(task, plan);
  if (plan.switches) await switchMap({ point, unit, generation, layout });
  if (plan.switches) await restoreGone(task);
  if (plan.repairs) known.changed.clear();
  const after = metaAfter(task, meta ?? emptyMeta, plan);
  if (plan.switches) await clearAway(task, after);
  const saved = await asAllowed(task, 'save', () => save(task));
  // A meta that tells this policy says that it was saved.
  const next = saved ? after : unsavedMeta(after, meta, plan);
  const tells = meta === null || !sameMeta(meta, next);
  if (tells) {
    await writeMeta(box, meta, next);
    // A box that reboots would come back without knowing it, and its pair would wait for a config-sync.
    if (saved) await save(task);
  }
  forgetOld(known.verified, nowMs);
  return tells || plan.switches || plan.rules.length + plan.groups.length > 0;
}

async function requirePartition({ point, unit, held, layout }: Task): Promise<void> {
  if (held.map !== null || (await unit.box.get(OWN_PARTITION)) !== null) return;
  throw new EdgewardError(
    'EDW_ERR_BIGIP_PARTITION',
    `applying revision ${layout.revision} to ${point}: ${unit.name} has no partition ${PARTITION}`,
    { mend: `Make it: tmsh create auth partition ${PARTITION}. Then give the user of this point a role in it.` },
  );
}

/**
 * Whoever comes after us must know that groups were repaired which the map does not tell of yet. Answers the meta that
 * stands now.
 */
async function markRepairs({ unit, held, repairs }: Task, plan: Plan): Promise<Meta | null> {
  if (!plan.repairs) return held.meta;
  const marked = { ...(held.meta ?? emptyMeta), repairs };
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

function metaAfter(task: Task, meta: Meta, plan: Plan): Meta {
  const { held, layout, keptRevisions, repairs, nowMs } = task;
  const { revision, policyHash } = layout;
  const names = layout.groups.map(({ name }) => name).sort(compareText);
  const sets = keptSets(meta, held.map?.policy ?? null, { revision, names }, keptRevisions);
  const isNew = plan.switches || plan.finishes || meta.applied === null;
  const applied = isNew ? new Date(nowMs).toISOString() : meta.applied;
  return { saved: { revision, policyHash }, sets, applied, repairs };
}

/** Whoever is refused again and again writes nothing again and again. */
function unsavedMeta(after: Meta, before: Meta | null, { switches }: Plan): Meta {
  const { saved, applied } = before ?? emptyMeta;
  return { ...after, saved, applied: switches ? after.applied : applied };
}

/**
 * Only our partition: what others have not saved stays theirs. But until something was saved, because the partition itself may
 * be new, and a box could not load what stands in one that it does not know; and but for a box that can't save one alone.
 */
async function save({ unit, held, logger }: Task): Promise<void> {
  const { box } = unit;
  const all = { command: 'save' };
  if ((held.meta?.saved ?? null) === null) return void (await box.run(SYSTEM_CONFIG, all));
  await box.run(SYSTEM_CONFIG, OWN_SAVE).catch(async (cause: unknown) => {
    if (!hasCode(cause, 'EDW_ERR_BIGIP_REFUSED')) throw cause;
    const fields = { event: 'save_whole', box: box.url, cause: messageOf(cause) };
    logger.warn(fields, 'the box does not save one partition alone: everything is saved');
    await box.run(SYSTEM_CONFIG, all);
  });
}

/** The policy is in force already: what the user's role does not allow is told by every look, and tried again. */
async function asAllowed({ unit, known, logger }: Task, what: Refusable, work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    known.refused.delete(what);
    return true;
  } catch (cause) {
    if (!hasCode(cause, 'EDW_ERR_BIGIP_RIGHTS')) throw cause;
    const fields = { event: 'point_unfinished', box: unit.box.url, what, cause: messageOf(cause) };
    if (!known.refused.has(what)) logger.warn(fields, 'the policy is in force, and the role does not allow the rest');
    known.refused.add(what);
    return false;
  }
}

/** Another service that shares this box may have thought that nobody uses them. */
async function restoreGone({ unit, layout, logger }: Task): Promise<void> {
  const stored = await listGroups(unit.box);
  for (const group of layout.groups) if (!stored.has(group.name)) await createGroup(unit.box, group, logger);
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

function hasCode(thrown: unknown, code: string): boolean {
  return thrown instanceof EdgewardError && thrown.code === code;
}
