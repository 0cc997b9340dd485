/** The three things a reconciler can do at a point, and what it knows after each. Which one is due is the plan's to say. */
import type { CompiledPolicy } from '@edgeward/policy';
import { type Backoff, EdgewardError, type Logger, messageOf } from '@edgeward/runtime';
import type { Actual, EnforcementPoint } from './enforcement-point.ts';
import type { PointRecord } from './point-record.ts';
import { isFrozen, isWhole, type Knowledge, mustPush, type PlanRules, type Step } from './reconciler-plan.ts';
import { revisionOlder } from './revision-older.ts';

export interface StepsOptions {
  point: EnforcementPoint;
  logger: Logger;
  known: Knowledge;
  record: PointRecord;
  rules: PlanRules;
  now: () => number;
  failures: Backoff;
  repairs: Backoff;
  /** The status may have changed in the middle of a step. */
  tell: () => void;
}

export interface Steps {
  probe(): Promise<void>;
  look(): Promise<void>;
  push(policy: CompiledPolicy): Promise<void>;
  /** Writes down that `step` threw. `overtaken`: a newer desire came meanwhile and has not been tried. */
  fail(step: Step, thrown: unknown, overtaken: boolean): void;
}

export function createSteps(options: StepsOptions): Steps {
  const { point, logger, known, record, rules, now, failures, repairs } = options;

  async function probe(): Promise<void> {
    known.probeAtMs = now() + rules.probeIntervalMs;
    const token = (await point.probe?.()) ?? null;
    const isBack = known.silent;
    if (isBack) logger.info({ event: 'point_reachable', point: point.name }, 'the point answers again');
    if (!isBack && token === known.token) return record.checked();
    // It is back, or no longer what it was: whatever failed before may work now.
    if (isBack) failures.reset();
    if (isBack || known.token !== null) known.retryAtMs = 0;
    known.silent = false;
    known.token = token;
    known.certainty = 'unknown';
  }

  async function look(): Promise<void> {
    // In this order a restart between the two shows as an empty point now, or as another token next time.
    const token = (await point.probe?.()) ?? null;
    const actual = await point.inspect();
    record.checked();
    known.certainty = 'seen';
    known.token = token;
    setChecks();
    weigh(actual);
  }

  function weigh(actual: Actual): void {
    const { desired, settled } = known;
    known.held = actual.state === 'empty' ? null : { revision: actual.revision, hash: actual.hash };
    known.changes = actual.state === 'empty' ? [] : actual.drift;
    known.unfinished = actual.state === 'empty' ? [] : actual.unfinished;
    if (desired === null) return;
    if (settled !== null) compare(actual, desired, settled);
    const isClean = !known.interrupted || known.changes.length === 0;
    if (isClean && known.held?.hash === desired.hash && known.held.revision === desired.revision) {
      known.settled = desired;
      known.interrupted = false;
    }
    pace();
    if (isFrozen(known, rules)) record.failed(frozen(point.name, known.changes), false);
    else if (!mustPush(known, desired, rules)) succeed();
  }

  /** What differs from the policy that was once seen true here: nothing, everything lost, or something changed. */
  function compare(actual: Actual, desired: CompiledPolicy, settled: CompiledPolicy): void {
    if (actual.state === 'empty') {
      record.refilled();
      logger.warn({ event: 'point_emptied', point: point.name }, 'the point lost its policy; filling it again');
      return;
    }
    if (known.interrupted) return;
    if (isWhole(known, settled)) {
      known.repairing = false;
      if (known.unfinished.length === 0) repairs.reset();
      return;
    }
    if (rules.onDrift !== 'freeze' && isAhead(actual, desired, settled)) return;
    const other = actual.hash === settled.hash ? [] : [`it holds another policy, revision ${actual.revision}`];
    const changes = [...other, ...actual.drift];
    record.drifted(changes, rules.onDrift);
    const fields = { event: 'drift_found', point: point.name, changes, action: rules.onDrift };
    logger.warn(fields, 'the point was changed behind our back');
    if (rules.onDrift !== 'repair' || settled !== desired) return;
    // Whoever else writes this point will write again: the first repair is made at once, the next ones back off.
    if (known.repairing) known.retryAtMs = now() + Math.max(1, repairs.nextMs());
    known.repairing = true;
  }

  /** Somebody may have to help before a push can be finished: the first attempt is made at once, the next ones back off. */
  function pace(): void {
    const hasWaited = known.lookFirst;
    known.lookFirst = false;
    if (known.interrupted) return;
    const isLeft = known.unfinished.length > 0;
    if (known.finishing && isLeft && !hasWaited) {
      known.retryAtMs = now() + Math.max(1, repairs.nextMs());
      known.lookFirst = true;
    }
    known.finishing = isLeft;
  }

  async function push(policy: CompiledPolicy): Promise<void> {
    if (known.held !== null && known.held.revision > policy.revision) {
      throw revisionOlder(point.name, policy.revision, known.held.revision);
    }
    record.pushing(true);
    options.tell();
    const startedAtMs = now();
    known.interrupted = true;
    try {
      const { revision, writes, bytes } = await point.apply(policy);
      pushed(policy, revision);
      const fields = { event: 'policy_applied', point: point.name, revision, hash: policy.hash, writes, bytes };
      logger.info({ ...fields, tookMs: now() - startedAtMs }, 'applied');
    } finally {
      record.pushing(false);
    }
  }

  function pushed(policy: CompiledPolicy, revision: number): void {
    known.held = { revision, hash: policy.hash };
    known.settled = policy;
    known.changes = [];
    known.certainty = 'pushed';
    known.interrupted = false;
    known.token = null;
    setChecks();
    record.applied();
    succeed();
  }

  function setChecks(): void {
    known.probeAtMs = now() + rules.probeIntervalMs;
    known.driftCheckAtMs = now() + rules.driftCheckIntervalMs;
  }

  function succeed(): void {
    failures.reset();
    known.retryAtMs = 0;
    record.succeeded();
  }

  function fail(step: Step, thrown: unknown, overtaken: boolean): void {
    const error = codedError(point.name, step, thrown);
    const repeated = record.failed(error, step.do !== 'probe');
    known.certainty = 'unknown';
    known.token = null;
    known.silent = step.do === 'probe' && !overtaken;
    known.retryAtMs = overtaken || step.do === 'probe' ? 0 : now() + Math.max(1, failures.nextMs());
    known.probeAtMs = now() + rules.probeIntervalMs;
    const fields = { event: 'point_failed', point: point.name, doing: step.do, code: error.code, mend: error.mend };
    logger[repeated ? 'debug' : 'warn'](fields, error.message);
  }

  return { probe, look, push, fail };
}

/** A service beside this one was quicker, and did what this one is about to: nobody changed anything by hand. */
function isAhead(
  actual: Exclude<Actual, { state: 'empty' }>,
  desired: CompiledPolicy,
  settled: CompiledPolicy,
): boolean {
  if (actual.revision > settled.revision) return true;
  return settled !== desired && actual.revision === desired.revision && actual.hash === desired.hash;
}

function frozen(point: string, changes: readonly string[]): EdgewardError {
  const found = changes[0] ?? 'it holds another policy';
  return new EdgewardError('EDW_ERR_POINT_FROZEN', `leaving ${point} alone: somebody changed it (${found})`, {
    mend: 'Undo the change at the point, or set `onDrift: repair` for it and restart the service: then it is undone.',
  });
}

function codedError(point: string, step: Step, thrown: unknown): EdgewardError {
  if (thrown instanceof EdgewardError) return thrown;
  return new EdgewardError('EDW_ERR_POINT_DRIVER', `${step.do} at ${point}: ${messageOf(thrown)}`, {
    mend: 'This is a bug in the driver: report it with the log around event point_failed.',
    cause: thrown,
  });
}
