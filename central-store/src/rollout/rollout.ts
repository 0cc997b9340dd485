/**
 * Moves points to a published version wave by wave, and back. What comes next is decided by `step`; here it is put on the
 * record, then on disk, then done, one thing after another. What is on disk is what points are to have: a process that is
 * killed anywhere goes on from there.
 */
import type { PointReport, TrustRoot } from '@edgeward/policy-format';
import {
  type Clock,
  createWorkQueue,
  EdgewardError,
  type Logger,
  messageOf,
  type Registry,
  repeatedly,
} from '@edgeward/runtime';
import { requireRole } from '../proposals/people.ts';
import type { Proposals } from '../proposals/proposals.ts';
import { requireReason } from '../proposals/refusals.ts';
import type { PointVersion, Publishing } from '../publishing/index.ts';
import { type Actor, type Attempt, rehearse, withRecord } from '../record/attempt.ts';
import { STORE } from '../record/own-names.ts';
import type { AttemptRecord } from '../record/record.ts';
import { beginningOf, begunRollout } from './beginning.ts';
import type { RolloutConfig } from './config.ts';
import { type Decision, decided } from './decisions.ts';
import { rolloutMetrics } from './metrics.ts';
import { readRollout, saveRollout } from './rollout-file.ts';
import type { Sights } from './sight.ts';
import { createSightings } from './sightings.ts';
import { assigned, type RolloutState } from './state.ts';
import { NO_ROLLOUT, type RolloutStatus, rolloutStatus } from './status.ts';
import { type Step, step } from './step.ts';
import { createVersionsInUse } from './versions-in-use.ts';

export interface RolloutOptions {
  /** Of the store; `rollout.json` in it is written here. */
  dir: string;
  config: RolloutConfig;
  record: AttemptRecord;
  root: () => TrustRoot;
  proposals: Pick<Proposals, 'current' | 'version' | 'slices' | 'onPublished'>;
  publishing: Pick<Publishing, 'setVersions' | 'point' | 'onPublished'>;
  clock: Clock;
  logger: Logger;
  registry?: Registry;
}

export interface Rollout {
  /**
   * Points get what they were to have when the last process ended, and what was published since begins. Throws
   * EDW_ERR_STORE_FOLDER, EDW_ERR_STORE_SLICES, EDW_ERR_STORE_RECORD, EDW_ERR_STATE_WRITE.
   */
  start(): Promise<void>;
  /** What a point said; that it is this point's was asked before. */
  heard(report: PointReport): void;
  /**
   * By a publisher or an approver. Throws EDW_ERR_STORE_ROLE, EDW_ERR_PROPOSAL_REASON, EDW_ERR_ROLLOUT_STATE,
   * EDW_ERR_ROLLOUT_NO_WAY_BACK, EDW_ERR_STORE_RECORD, EDW_ERR_STATE_WRITE.
   */
  decide(actor: Actor, decision: Decision, about: DecisionAbout): Promise<RolloutStatus>;
  status(): RolloutStatus;
  /** When what was begun is done. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

interface DecisionAbout {
  reason: string;
  /** The one that was looked at. */
  version?: number;
  /** Leaves nothing but an entry. */
  dryRun?: boolean;
}

const LOOK_EVERY_MS = 1_000;
/** After something could not be written or published. Points are to be current 15 s after a disk has room again. */
const RETRY_MS = 5_000;
const STORE_ACTOR: Actor = { name: STORE, by: STORE };

/** Throws EDW_ERR_STORE_FOLDER when what lies there can't be read. */
export async function createRollout(options: RolloutOptions): Promise<Rollout> {
  const { dir, config, record, proposals, publishing, clock, logger } = options;
  const sightings = createSightings(clock.now());
  const versions = createVersionsInUse(proposals);
  let state = await readRollout(dir);
  /** What is on disk has not been published yet. */
  let isBehind = true;
  let retryAtMs = 0;
  let isQueued = false;
  let isClosed = false;
  let stopTurns = (): void => {};
  const queue = createWorkQueue();

  const look = (): Sights => sightings.look(Object.keys(state?.points ?? {}), state?.version ?? 0, clock.now());
  const status = (): RolloutStatus => (state === null ? NO_ROLLOUT : rolloutStatus(state, look(), clock.now(), config));
  const metrics = options.registry === undefined ? null : rolloutMetrics(options.registry, status);

  function noteServed(point: string): void {
    const published = publishing.point(point);
    if (published === null || published.state === null) return;
    const { epoch, revision } = published.head;
    sightings.served(point, { version: published.state.version, epoch, revision }, clock.now());
  }

  /** Not before the inventory is known and nothing of it is held: until then points can not have what is assigned. */
  function isServing({ points }: RolloutState): boolean {
    for (const point in points) if (publishing.point(point)?.state != null) return true;
    return false;
  }

  /** Every point, as the state says. What fails is tried again. */
  async function assign(): Promise<void> {
    isBehind = true;
    const points = new Map<string, PointVersion>();
    const byNumber = new Map<number, PointVersion>();
    for (const [point, number] of state === null ? [] : assigned(state)) {
      const version = byNumber.get(number) ?? (await versions.inForce(number));
      byNumber.set(number, version);
      points.set(point, version);
    }
    await publishing.setVersions(points);
    for (const point of points.keys()) noteServed(point);
    isBehind = false;
    versions.keep(new Set([...byNumber.keys(), ...(state === null ? [] : [state.version])]));
  }

  async function assignOrRetry(): Promise<void> {
    try {
      await assign();
    } catch (thrown) {
      retryAtMs = clock.now() + RETRY_MS;
      logger.error({ event: 'rollout_not_published', version: state?.version, err: thrown }, messageOf(thrown));
    }
  }

  /** On disk, then in force. */
  async function enter(next: RolloutState): Promise<void> {
    await saveRollout(dir, next);
    const moved = state === null || !isSameAssignment(state, next);
    state = next;
    if (moved || isBehind) await assignOrRetry();
  }

  /** What the store does by itself: each action on the record, then all of them at once. */
  async function enterRecorded(next: RolloutState, actions: Step['actions']): Promise<void> {
    const [first, ...others] = actions.map(({ action, reason }) => attemptOf(next, action, reason));
    if (first === undefined) return enter(next);
    await withRecord(record, first, {
      check: () => {},
      effect: async () => {
        for (const { actor, ...rest } of others)
          await record.append({ ...rest, actor: actor.name, by: actor.by, outcome: 'allowed' });
        await enter(next);
      },
    });
    for (const { action, reason } of actions) tell(action, reason, next);
  }

  function tell(action: string, why: string, { version, phase }: RolloutState): void {
    const fields = { event: action.replace('.', '_'), version };
    const isBad = action === 'rollout.halt' || action === 'rollout.return';
    if (isBad) logger.error({ ...fields, phase: phase.is }, why);
    else logger.info(fields, why);
    if (action !== 'rollout.halt') return;
    metrics?.halted('trouble' in phase ? (phase.trouble[0]?.kind ?? 'person') : 'person');
  }

  async function advance(): Promise<void> {
    if (clock.now() < retryAtMs) return;
    await beginNewest();
    if (isBehind) await assignOrRetry();
    if (state === null || !isServing(state)) return;
    if (state.phase.is !== 'rolling' && state.phase.is !== 'returned') return;
    for (const [point, { movedMs }] of Object.entries(state.points)) if (movedMs !== null) noteServed(point);
    const next = step(state, look(), clock.now(), config);
    if (next.state !== state) await enterRecorded(next.state, next.actions);
  }

  function advanceSoon(): void {
    if (isQueued || isClosed) return;
    isQueued = true;
    const advanced = queue.run(async () => {
      isQueued = false;
      await advance();
    });
    advanced.catch((thrown) => {
      retryAtMs = clock.now() + RETRY_MS;
      logger.error({ event: 'rollout_stuck', version: state?.version, err: thrown }, messageOf(thrown));
    });
  }

  /** The newest version becomes the roll-out; what was under way before it is over. */
  async function beginNewest(): Promise<void> {
    const newest = proposals.current();
    if (newest === null || newest.version <= (state?.version ?? 0)) return;
    const inputs = { published: newest, before: state, proposals, versions, waves: config.waves, nowMs: clock.now() };
    const begun = await begunRollout(inputs);
    sightings.forgetExcept(new Set(Object.keys(begun.points)));
    const sights = sightings.look(Object.keys(begun.points), begun.version, clock.now());
    const next = step(begun, sights, clock.now(), config);
    await enterRecorded(next.state, [
      { action: 'rollout.start', reason: beginningOf(begun, clock.now()) },
      ...next.actions,
    ]);
  }

  const stopFollowing = proposals.onPublished(({ kind }) => {
    if (kind !== 'policy') return;
    // Somebody's version could be written: what could not a moment ago may be now.
    retryAtMs = 0;
    advanceSoon();
  });
  const stopNoting = publishing.onPublished(noteServed);

  return {
    start: () =>
      queue.run(async () => {
        // Versions that were brought back from an older backup than this file are not those that it speaks of.
        if (state !== null) proposals.version(state.version);
        await beginNewest();
        // Whatever stands in the way of publishing, people must be able to propose.
        if (isBehind) await assignOrRetry();
        stopTurns = repeatedly(clock, LOOK_EVERY_MS, advanceSoon);
        advanceSoon();
      }),
    heard(report) {
      sightings.heard(report, clock.now());
      if (report.nack !== null && state?.phase.is === 'rolling') advanceSoon();
    },
    decide: (actor, decision, { reason, version, dryRun }) =>
      queue.run(async () => {
        const attempt: Attempt = {
          actor,
          action: `rollout.${decision}`,
          target: targetOf(state?.version ?? 0),
          reason,
        };
        const check = (): RolloutState => {
          requireRole(options.root(), actor, ['publisher', 'approver'], `deciding on a roll-out (${decision})`);
          requireReason(reason, `deciding on a roll-out (${decision})`);
          if (state === null || (version ?? state.version) !== state.version) throw otherVersion(state, version);
          const about = { by: actor.name, reason, nowMs: clock.now(), sights: look(), settings: config };
          return decided(state, decision, about);
        };
        if (dryRun === true) {
          const next = await rehearse(record, attempt, { check });
          return rolloutStatus(next, look(), clock.now(), config);
        }
        const next = await withRecord(record, attempt, {
          check,
          effect: async (checked) => {
            await enter(checked);
            return checked;
          },
        });
        tell(attempt.action, reason, next);
        advanceSoon();
        return status();
      }),
    status,
    settled: queue.settled,
    async close() {
      isClosed = true;
      stopFollowing();
      stopNoting();
      await queue.settled();
      // Last: a start that was still under way has begun them.
      stopTurns();
    },
  };
}

function isSameAssignment(a: RolloutState, b: RolloutState): boolean {
  const before = assigned(a);
  const after = assigned(b);
  return before.size === after.size && [...after].every(([point, version]) => before.get(point) === version);
}

function attemptOf({ version, digest }: RolloutState, action: string, reason: string): Attempt {
  return { actor: STORE_ACTOR, action, target: targetOf(version), digest, reason };
}

function targetOf(version: number): string {
  return `version/${version}`;
}

function otherVersion(state: RolloutState | null, asked: number | undefined): EdgewardError {
  const what = asked === undefined ? 'deciding on a roll-out' : `deciding on the roll-out of version ${asked}`;
  const why = state === null ? 'nothing was published yet' : `version ${state.version} is rolled out by now`;
  return new EdgewardError('EDW_ERR_ROLLOUT_STATE', `${what}: ${why}`, {
    mend: 'Look at `rollout` in the status of the store, and decide on what it says.',
  });
}
