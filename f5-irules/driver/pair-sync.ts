import { setTimeout as sleep } from 'node:timers/promises';
import { EdgewardError } from '@edgeward/runtime';
import { commandSync, type Pair, requireActive, syncStateOf, type Unit } from './cluster.ts';
import { readHeldMap, readHeldMeta } from './held.ts';
import type { Icontrol } from './icontrol/index.ts';
import type { KnownBox } from './known-box.ts';
import { emptyMeta, type Meta, OTHERS, sameMeta } from './meta.ts';

/**
 * Brings a policy that is in force on the active unit to the other one. A config-sync carries everything that waits, so it
 * is only commanded when what waits is ours: the pair was in sync when we began. That beginning is marked in meta, so that
 * a later process knows it too: as long as the two units hold different metas, what waits is ours, unless the mark says
 * that changes of others were waiting before.
 */
export interface SyncPlan {
  pair: Pair;
  inSync: boolean;
  /** `wait`: the box syncs by itself. `leave`: what waits is not ours. `apart`: the units can't be synced now. */
  end: 'command' | 'wait' | 'leave' | 'apart';
  /** What the box says. */
  words: string;
}

export interface SyncTask {
  point: string;
  unit: Unit;
  known: KnownBox;
  syncOthersChanges: boolean;
  syncTimeoutMs: number;
}

/** Asked before the first write; null for a box that stands alone. */
export async function beginSync(task: SyncTask, meta: Meta | null): Promise<SyncPlan | null> {
  const { unit, known } = task;
  const { pair } = unit;
  if (pair === null) return null;
  const { state, words } = await syncStateOf(unit.box);
  const inSync = state === 'in-sync';
  if (inSync) known.waiting = null;
  const plan = (end: SyncPlan['end']): SyncPlan => ({ pair, inSync, end, words });
  if (pair.automatic) return plan('wait');
  if (state === 'apart') return plan('apart');
  const mayCommand = inSync || task.syncOthersChanges || known.waiting === 'ours' || (await oursWait(pair, meta));
  return plan(mayCommand ? 'command' : 'leave');
}

/**
 * Called when all is written and saved. Throws EDW_ERR_BIGIP_FOREIGN_CHANGES, EDW_ERR_BIGIP_NOT_SYNCED and
 * EDW_ERR_BIGIP_FAILOVER; the policy is in force on the active unit then.
 */
export async function endSync(task: SyncTask, plan: SyncPlan, revision: number, wrote: boolean): Promise<void> {
  const { known, point, unit } = task;
  if (plan.inSync && !wrote) return;
  if (plan.end === 'leave' || plan.end === 'apart') return endUnsynced(task, plan, revision, wrote);
  known.waiting = 'ours';
  if (plan.end === 'command') {
    await requireActive(point, unit, `syncing revision ${revision}`);
    await commandSync(point, unit, plan.pair.group);
  }
  await untilInSync(task, plan, revision);
  known.waiting = null;
}

async function endUnsynced(task: SyncTask, plan: SyncPlan, revision: number, wrote: boolean): Promise<void> {
  const { known, unit } = task;
  const shared = await peersHold(unit, plan.pair);
  // Somebody's changes wait, and none of ours: that is their business.
  if (shared === 'yes' || (shared === 'unknown' && !wrote && known.waiting === null)) return;
  known.waiting ??= 'others';
  throw plan.end === 'leave' ? foreignChanges(task, plan, revision) : notSynced(task, plan.words, revision);
}

async function untilInSync(task: SyncTask, plan: SyncPlan, revision: number): Promise<void> {
  const { unit, syncTimeoutMs } = task;
  const untilMs = Date.now() + syncTimeoutMs;
  let pauseMs = 50;
  for (;;) {
    const { state, words } = await syncStateOf(unit.box);
    // A status may be older than our writes: the other unit itself is asked, where its address is known.
    if (state === 'in-sync' && (await peersHold(unit, plan.pair)) !== 'no') return;
    if (Date.now() + pauseMs > untilMs) throw notSynced(task, words, revision);
    await sleep(pauseMs);
    pauseMs = Math.min(pauseMs * 2, 1000);
  }
}

/** Whether every other unit holds the policy and the meta of this one; `unknown` when one can't be asked. */
export async function peersHold(unit: Unit, pair: Pair): Promise<'yes' | 'no' | 'unknown'> {
  const own = await sharedState(unit.box);
  const answers = await Promise.all(pair.peers.map((peer) => sharedState(peer).catch(() => null)));
  if (answers.some((answer) => answer !== null && !isSame(answer, own))) return 'no';
  return answers.length === 0 || answers.includes(null) ? 'unknown' : 'yes';
}

interface SharedState {
  map: string;
  meta: Meta | null;
}

async function sharedState(box: Icontrol): Promise<SharedState> {
  const [map, meta] = await Promise.all([readHeldMap(box), readHeldMeta(box)]);
  return { map: JSON.stringify(map?.policy?.head ?? null), meta };
}

function isSame(one: SharedState, other: SharedState): boolean {
  if (one.map !== other.map) return false;
  if (one.meta === null || other.meta === null) return one.meta === other.meta;
  return sameMeta(one.meta, other.meta);
}

/** An apply of ours that began in sync, and that the other unit does not have. */
async function oursWait(pair: Pair, meta: Meta | null): Promise<boolean> {
  const own = meta ?? emptyMeta;
  if (own.syncing === OTHERS) return false;
  const waiting = pair.peers.map(async (peer) => {
    const held = (await readHeldMeta(peer)) ?? emptyMeta;
    return held.syncing !== OTHERS && !sameMeta(held, own);
  });
  // A unit that does not answer is no reason to believe anything.
  return (await Promise.all(waiting.map((answer) => answer.catch(() => false)))).includes(true);
}

function foreignChanges(task: SyncTask, plan: SyncPlan, revision: number): EdgewardError {
  const { point, unit } = task;
  return new EdgewardError(
    'EDW_ERR_BIGIP_FOREIGN_CHANGES',
    `applying revision ${revision} to ${point}: it is in force on ${unit.name} and not synced, because changes of somebody else wait for a config-sync (${plan.words})`,
    {
      mend: `Look at what waits, then sync it yourself: tmsh run cm config-sync to-group ${plan.pair.group} on ${unit.name}. Or allow Edgeward to sync the changes of others with its own.`,
    },
  );
}

function notSynced(task: SyncTask, words: string, revision: number): EdgewardError {
  const { point, unit } = task;
  return new EdgewardError(
    'EDW_ERR_BIGIP_NOT_SYNCED',
    `syncing revision ${revision} of ${point}: it is in force on ${unit.name}, and the pair says ${JSON.stringify(words)}`,
    {
      mend: 'Look at the device group and at the other unit (tmsh show cm sync-status). The next attempt goes on from here.',
    },
  );
}
