import {
  type CompiledPolicy,
  explain,
  type Finding,
  identitiesOf,
  nextChangeMs,
  type ObjectLoss,
  type SourceDocument,
} from '@edgeward/policy';
import type { LoadedSnapshot, PolicyCache } from '@edgeward/policy-cache';
import { documentsFromLines } from '@edgeward/policy-source';
import { type Clock, createWorkQueue, EdgewardError, type Logger, messageOf } from '@edgeward/runtime';
import { lossesOf } from './edit-losses.ts';
import { type Builder, createBuilder, hashOfPolicy, type ReadyBuild } from './policy-build.ts';
import type { PolicyInForce } from './policy-in-force.ts';
import { recentIdentities } from './recent-identities.ts';
import { createSnapshotSaving, type Published } from './snapshot-saving.ts';

/**
 * Decides which policy is in force. A reading of the source becomes a new revision, or is refused, or held for a person
 * to accept; what was in force stays until something better is there. Time is a source of its own: grants end although
 * nobody edits anything, and although the directory is away. Nothing here talks to a point or reads a file.
 */
export interface Publisher extends PolicyInForce {
  /** What the source holds now. */
  offer(documents: SourceDocument[], syntax: Finding[]): Promise<void>;
  /** The source can't be read; what is in force stays. */
  sourceAway(error: EdgewardError): void;
  /** Starts from what was last published, before the source is read. */
  restore(snapshot: LoadedSnapshot): Promise<void>;
  /** Recompiles what is in force at this instant. */
  tick(): Promise<void>;
}

export interface PublisherOptions {
  points: readonly string[];
  cache: PolicyCache;
  clock: Clock;
  logger: Logger;
  /** Every point's policy under its new revision. */
  publish(policies: Map<string, CompiledPolicy>): void;
}

interface Held {
  build: ReadyBuild;
  /** Given to this content alone, so that a person accepts what they looked at. */
  revision: number;
  heldAtMs: number;
  losses: ObjectLoss[];
}

/** A greater share of an object's flows is not taken away without a person. */
const HOLD_ABOVE = 0.5;
/** A timer knows nothing of a clock that was set, or of a machine that slept: the time of day is looked at this often. */
const LONGEST_DELAY_MS = 60_000;

export function createPublisher(options: PublisherOptions): Publisher {
  const { cache, clock, logger } = options;
  const builder: Builder = createBuilder(options.points);
  const recent = recentIdentities();
  let current: Published | null = null;
  let held: Held | null = null;
  /** The greatest number that a held revision was ever shown under. */
  let shown = 0;
  let refused: Finding[] = [];
  let restored = false;
  let stateWriteFailures = 0;
  let cancelTimer = (): void => {};
  const queue = createWorkQueue();
  const saving = createSnapshotSaving(clock, (snapshot) => keepingOn(() => cache.saveSnapshot(snapshot)));

  function nextRevision(): number {
    return Math.max(cache.floor(), current?.revision ?? 0, shown) + 1;
  }

  /** A number that a person saw stands for that content alone, also after a restart; skipped numbers harm nobody. */
  async function showNext(): Promise<number> {
    shown = nextRevision();
    await keepingOn(() => cache.raiseFloor(shown));
    return shown;
  }

  async function publish(build: ReadyBuild, revision: number): Promise<void> {
    await keepingOn(() => cache.raiseFloor(revision));
    current = { build, revision, changedAtMs: clock.now() };
    // What came between is newer than the held revision would be under its old number.
    if (held !== null && held.revision <= revision) held = { ...held, revision: await showNext() };
    recent.remember(revision, identitiesOf(build.resolution));
    options.publish(stamped(build, revision));
    logger.info(
      { event: 'policy_published', revision, hash: build.hash, warnings: build.findings.length },
      'published',
    );
    saving.save(current);
  }

  /** State that can't be written must not keep a revocation from the points. */
  async function keepingOn(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (cause) {
      stateWriteFailures += 1;
      logger.error({ event: 'state_write_failed', err: cause }, messageOf(cause));
    }
  }

  async function offer(documents: SourceDocument[], syntax: Finding[]): Promise<void> {
    // A folder that is not mounted or not filled yet must not empty the points; where something is in force, it is held.
    if (current === null && documents.length === 0 && syntax.length === 0) return refuse([awayFinding(nothingThere())]);
    const nowMs = clock.now();
    const build = builder.build(documents, syntax, nowMs, current?.build.policyHash ?? null);
    logger.debug({ event: 'policy_built', state: build.state, tookMs: clock.now() - nowMs }, 'built');
    if (build.state === 'refused') {
      // What was held is no longer what the source says.
      held = null;
      refuse(build.findings.filter((finding) => finding.severity === 'error'));
      return;
    }
    refused = [];
    restored = false;
    const losses =
      current === null || build.hash === current.build.hash ? [] : lossesOf(current.build, build, builder, clock.now());
    const heavy = losses.filter((loss) => loss.lostShare > HOLD_ABOVE);
    if (heavy.length > 0) await hold(build, heavy);
    else await take(build, nextRevision());
    schedule();
  }

  async function hold(build: ReadyBuild, losses: ObjectLoss[]): Promise<void> {
    if (held !== null && held.build.hash === build.hash) {
      held = { ...held, build, losses };
      return;
    }
    held = { build, revision: await showNext(), heldAtMs: clock.now(), losses };
    const objects = losses.map((loss) => loss.object);
    logger.warn({ event: 'policy_held', revision: held.revision, objects }, 'held until it is accepted');
  }

  /** A build that no point would notice only brings new labels and warnings. */
  async function take(build: ReadyBuild, revision: number): Promise<void> {
    held = null;
    if (current === null || build.hash !== current.build.hash) return publish(build, revision);
    const changed = current.build.documents !== build.documents;
    current = { ...current, build };
    recent.remember(current.revision, identitiesOf(build.resolution));
    if (changed) saving.save(current);
  }

  function refuse(errors: Finding[]): void {
    const same = JSON.stringify(errors) === JSON.stringify(refused);
    refused = errors;
    const first = errors[0];
    const fields = { event: 'policy_refused', errors: errors.length, revision: current?.revision ?? null, first };
    if (!same) logger.error(fields, 'the policy has errors; what was in force stays');
  }

  async function tick(): Promise<void> {
    if (current !== null) {
      const build = builder.build(current.build.documents, [], clock.now(), current.build.policyHash);
      // What time ended takes effect at once, whatever is held and whatever the tests say.
      if (build.state === 'ready' && build.hash !== current.build.hash) await publish(build, nextRevision());
      else if (build.state === 'ready') {
        current = { ...current, build };
        recent.remember(current.revision, identitiesOf(build.resolution));
      }
    }
    schedule();
  }

  function schedule(): void {
    cancelTimer();
    const next = current === null ? null : nextChangeMs(current.build.resolution.model, clock.now());
    if (next === null) return;
    const delayMs = Math.min(Math.max(0, next - clock.now()), LONGEST_DELAY_MS);
    cancelTimer = clock.after(delayMs, () => {
      if (clock.now() < next) return schedule();
      queue.run(tick).catch((cause: unknown) => {
        logger.error({ event: 'recompile_failed', err: cause }, messageOf(cause));
        // What ends later must still end.
        cancelTimer = clock.after(LONGEST_DELAY_MS, schedule);
      });
    });
  }

  async function restore(snapshot: LoadedSnapshot): Promise<void> {
    const { documents, findings } = documentsFromLines(snapshot.documents, 'last-known-good');
    // It was good once; what has become an error since (an object that left) must not empty the points.
    const usable = builder.build(documents, findings, clock.now(), hashOfPolicy(documents));
    if (usable.state === 'refused') {
      logger.error(
        { event: 'restore_failed', revision: snapshot.revision, first: usable.findings[0] },
        'the last-known-good policy is unusable',
      );
      return;
    }
    restored = true;
    // The floor is above it where a point holds more than this folder knows of: only a new number is taken there.
    const same = usable.hash === snapshot.contentHash && cache.floor() <= snapshot.revision;
    await publish(usable, same ? snapshot.revision : Math.max(cache.floor(), snapshot.revision) + 1);
    schedule();
  }

  async function accept(revision: number): Promise<void> {
    if (held === null) {
      throw new EdgewardError('EDW_ERR_NOTHING_HELD', `accepting revision ${revision}: no revision is held`, {
        mend: 'Look at `edgeward status`; it may have been accepted or replaced already.',
      });
    }
    if (held.revision !== revision) {
      throw new EdgewardError(
        'EDW_ERR_HELD_OTHER',
        `accepting revision ${revision}: the held revision is ${held.revision}`,
        { mend: 'Look at `edgeward status` again and accept the revision that it names.' },
      );
    }
    logger.warn({ event: 'policy_accepted', revision, objects: held.losses.map((loss) => loss.object) }, 'accepted');
    // Compiled again, because time may have ended something since it was held.
    const build = builder.build(held.build.documents, [], clock.now(), held.build.policyHash);
    await take(build.state === 'ready' ? build : held.build, revision);
    schedule();
  }

  async function foundRevision(revision: number): Promise<void> {
    if (revision > cache.floor()) await keepingOn(() => cache.raiseFloor(revision));
    // Compared with what is in force and not with the floor, which may have been raised without publishing.
    if (current !== null && revision > current.revision) await publish(current.build, nextRevision());
  }

  return {
    offer: (documents, syntax) => queue.run(() => offer(documents, syntax)),
    sourceAway: (error) => refuse([awayFinding(error)]),
    restore: (snapshot) => queue.run(() => restore(snapshot)),
    tick: () => queue.run(tick),
    accept: (revision) => queue.run(() => accept(revision)),
    foundRevision: (_, revision) => queue.run(() => foundRevision(revision)),
    pointChanged: () => {},
    status: () => ({
      state: current === null ? 'none' : refused.length > 0 || restored ? 'last-known-good' : 'current',
      revision: current?.revision ?? 0,
      hash: current?.build.hash ?? '',
      changedAtMs: current?.changedAtMs ?? null,
      errors: refused,
      warnings: current?.build.findings ?? [],
      held: held === null ? null : { revision: held.revision, heldAtMs: held.heldAtMs, objects: held.losses },
      nextChangeAtMs: current === null ? null : nextChangeMs(current.build.resolution.model, clock.now()),
      stateWriteFailures,
    }),
    explain: (flow) => {
      const known = recent.at();
      if (current === null || known === null) return null;
      return { ...explain(known.identities, current.build.views.forObject(flow.to), flow), revision: current.revision };
    },
    identities: (_, revision) => recent.at(revision),
    objects: () => recent.at()?.identities.resolution.objects ?? [],
    close: async () => {
      cancelTimer();
      await queue.settled();
      await saving.close();
    },
  };
}

function stamped(build: ReadyBuild, revision: number): Map<string, CompiledPolicy> {
  return new Map([...build.policies].map(([point, policy]) => [point, { ...policy, revision }]));
}

function nothingThere(): EdgewardError {
  return new EdgewardError('EDW_ERR_POLICY_DIR', 'there is no document in the policy directory', {
    mend: 'Check that it is the directory that holds your policies, and that it is mounted and filled.',
  });
}

function awayFinding(error: EdgewardError): Finding {
  return {
    severity: 'error',
    code: error.code,
    file: '.',
    line: 1,
    column: 1,
    message: error.message,
    mend: error.mend,
  };
}
