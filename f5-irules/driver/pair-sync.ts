import { setTimeout as sleep } from 'node:timers/promises';
import { EdgewardError } from '@edgeward/runtime';
import { commandSync, type Pair, requireActive, syncStateOf, type Unit } from './cluster.ts';
import { readHeldMap, readHeldMeta } from './held.ts';
import type { Icontrol } from './icontrol/index.ts';
import type { KnownBox } from './known-box.ts';
import { type Meta, sameMeta } from './meta.ts';
import { type Commits, commitsOf } from './pair-commits.ts';

/**
 * Brings a policy that is in force on the active unit to the other one. A config-sync carries everything that waits, and
 * overwrites what was changed on the other unit. So it is only commanded when what waits is known to be ours: the pair was
 * in sync when this apply began, or one of this process did and nobody wrote on either unit since. In all other cases a
 * person decides. Nothing on a box could tell a later process that.
 */
export interface SyncPlan {
  pair: Pair;
  inSync: boolean;
  /** `wait`: the box syncs by itself. `leave`: what waits is not ours. `apart`: the units can't be synced now. */
  end: 'command' | 'wait' | 'leave' | 'apart';
  /** What the box says. */
  words: string;
  /** As they were when it was made; null where the box does not tell. */
  commits: Commits | null;
}

export interface SyncTask {
  point: string;
  unit: Unit;
  known: KnownBox;
  syncOthersChanges: boolean;
  syncTimeoutMs: number;
}

/** Asked before the first write; null for a box that stands alone. */
export async function beginSync(task: SyncTask): Promise<SyncPlan | null> {
  const { unit, known } = task;
  const { pair } = unit;
  if (pair === null) return null;
  const { state, words } = await syncStateOf(unit.box);
  const inSync = state === 'in-sync';
  if (inSync) known.waiting = null;
  const commits = pair.automatic ? null : await commitsOf(unit);
  const plan = (end: SyncPlan['end']): SyncPlan => ({ pair, inSync, end, words, commits });
  if (pair.automatic) return plan('wait');
  if (state === 'apart') return plan('apart');
  const mayCarryOthers = task.syncOthersChanges && commits !== null && !commits.peerMayBeAhead;
  return plan(inSync || mayCarryOthers || isOnlyOurs(task, commits) ? 'command' : 'leave');
}

/** An apply of this process began in sync, wrote last on this unit, and the other unit is as it was. */
function isOnlyOurs({ known, unit }: SyncTask, commits: Commits | null): boolean {
  const { written } = known;
  if (written === null || commits === null || written.url !== unit.box.url) return false;
  return written.own === commits.own && written.peers === commits.peers;
}

/**
 * Called when an apply that was to end with a config-sync failed: what it wrote is ours all the same, and the next apply of
 * this process may sync it if nobody writes meanwhile.
 */
export async function rememberOwn({ known, unit }: SyncTask, plan: SyncPlan): Promise<void> {
  if (plan.end !== 'command') return;
  const commits = await commitsOf(unit).catch(() => null);
  if (commits === null || commits.peers !== plan.commits?.peers) return;
  known.written = { url: unit.box.url, own: commits.own, peers: commits.peers };
}

/**
 * Called when all is written and saved. Throws EDW_ERR_BIGIP_FOREIGN_CHANGES, EDW_ERR_BIGIP_NOT_SYNCED and
 * EDW_ERR_BIGIP_FAILOVER; the policy is in force on the active unit then.
 */
export async function endSync(task: SyncTask, plan: SyncPlan, revision: number, wrote: boolean): Promise<void> {
  const { known, point, unit } = task;
  if (plan.inSync && !wrote) return;
  if (plan.end === 'leave' || plan.end === 'apart') return endUnsynced(task, plan, revision, wrote);
  if (plan.end === 'command') {
    const commits = await commitsOf(unit);
    // Somebody wrote on the other unit meanwhile: a sync from here would take that away.
    if (commits?.peers !== plan.commits?.peers) return endUnsynced(task, { ...plan, end: 'leave' }, revision, wrote);
    known.waiting = 'ours';
    known.written = commits === null ? null : { url: unit.box.url, own: commits.own, peers: commits.peers };
    await requireActive(point, unit, `syncing revision ${revision}`);
    await commandSync(point, unit, plan.pair.group);
  }
  known.waiting = 'ours';
  await untilInSync(task, plan, revision);
  known.waiting = null;
  known.written = null;
}

async function endUnsynced(task: SyncTask, plan: SyncPlan, revision: number, wrote: boolean): Promise<void> {
  const { known, unit } = task;
  const shared = await peersHold(unit, plan.pair);
  if (shared === 'yes') known.waiting = null;
  // Somebody's changes wait, and none of ours: that is their business.
  if (shared === 'yes' || (shared === 'unknown' && !wrote && known.waiting === null)) return;
  known.waiting ??= 'others';
  known.written = null;
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

function foreignChanges(task: SyncTask, plan: SyncPlan, revision: number): EdgewardError {
  const { point, unit } = task;
  return new EdgewardError(
    'EDW_ERR_BIGIP_FOREIGN_CHANGES',
    `applying revision ${revision} to ${point}: it is in force on ${unit.name} and not synced, because changes wait that may be of somebody else, here or on the other unit (${plan.words})`,
    {
      mend: `Look at what waits on each unit, then sync it yourself. To keep what ${unit.name} has, on ${unit.name}: tmsh run cm config-sync to-group ${plan.pair.group}. That overwrites what was changed on the other unit.`,
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
