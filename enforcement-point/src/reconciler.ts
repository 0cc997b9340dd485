/**
 * Keeps one point equal to what is desired. One call to the point at a time; the newest desire wins and what it overtook
 * is skipped; a failure is retried with back-off; a restart, an edit by hand and a lost policy are noticed and put right.
 * It never pushes an older revision and never decides what is desired. It owns the point from its creation on.
 */
import type { CompiledPolicy } from '@edgeward/policy';
import { backoff, EdgewardError, type Logger, systemClock } from '@edgeward/runtime';
import type { EnforcementPoint } from './enforcement-point.ts';
import { createPointRecord } from './point-record.ts';
import type { PointStatus } from './point-status.ts';
import { initialKnowledge, nextStep, type OnDrift, type PlanRules, type Step } from './reconciler-plan.ts';
import { createSteps } from './reconciler-steps.ts';
import { revisionOlder } from './revision-older.ts';

export interface ReconcilerOptions {
  point: EnforcementPoint;
  logger: Logger;
  /** How often the whole point is looked at: 30 s. */
  driftCheckIntervalMs?: number;
  /** How often a point that has `probe` is probed: 500 ms, so that a restart is noticed within a second. */
  probeIntervalMs?: number;
  /** What is done about changes made by hand: `repair`. An empty point is filled either way. */
  onDrift?: OnDrift;
  /** Back-off after a failure: 0.5 s to 30 s, full jitter. */
  retryBaseMs?: number;
  retryMaxMs?: number;
  now?: () => number;
  after?: (delayMs: number, run: () => void) => () => void;
  random?: () => number;
  /** After every change of the status but for `lastCheckedAt`. It must not throw. */
  onChange?: (status: PointStatus) => void;
}

export interface Reconciler {
  readonly name: string;
  /** Tried at once. Throws EDW_ERR_REVISION_OLDER, and EDW_ERR_POINT_MISMATCH for another point's policy. */
  setDesired(policy: CompiledPolicy): void;
  status(): PointStatus;
  /** Looks at the point now, whatever the back-off says; settles when there is nothing more to do at once. */
  kick(): Promise<PointStatus>;
  /** Waits for what is under way, then closes the point. */
  close(): Promise<void>;
}

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { point, logger } = options;
  const now = options.now ?? systemClock.now;
  const after = options.after ?? systemClock.after;
  const rules = rulesOf(options);
  const known = initialKnowledge();
  const record = createPointRecord(point.name, known, now);
  const jitter = options.random === undefined ? {} : { random: options.random };
  const delays = () => backoff({ baseMs: options.retryBaseMs ?? 500, maxMs: options.retryMaxMs ?? 30_000, ...jitter });
  const failures = delays();
  const steps = createSteps({ point, logger, known, record, rules, now, failures, repairs: delays(), tell });
  let seenMs = now();
  let running: Promise<void> | null = null;
  let cancelTimer: () => void = () => {};
  let closed: Promise<void> | null = null;

  function tell(): void {
    if (record.changed()) options.onChange?.(record.status());
  }

  function run(): Promise<void> {
    cancelTimer();
    running ??= loop();
    return running;
  }

  /** Until nothing is due. It ends: every step leaves less to do, or sets a later time for the next. */
  async function loop(): Promise<void> {
    try {
      // So that `running` is set before the first step, and several desires in one turn are one push.
      await Promise.resolve();
      for (let step = due(); step !== null; step = due()) {
        await perform(step);
        tell();
      }
    } finally {
      // Here and not in a `then`: a desire that comes in between would find a loop that has ended already.
      running = null;
    }
  }

  /** What was put down for a time of day is due after as long as ever, also when the clock is set back meanwhile. */
  function time(): number {
    const nowMs = now();
    const backMs = Math.max(0, seenMs - nowMs);
    known.retryAtMs -= backMs;
    known.driftCheckAtMs -= backMs;
    known.probeAtMs -= backMs;
    seenMs = nowMs;
    return nowMs;
  }

  function due(): Step | null {
    if (closed !== null) return null;
    const step = nextStep(known, rules, time());
    if (step.do !== 'wait') return step;
    if (step.untilMs !== Number.POSITIVE_INFINITY) {
      cancelTimer = after(Math.max(1, step.untilMs - now()), () => void run());
    }
    return null;
  }

  async function perform(step: Step): Promise<void> {
    const { desired } = known;
    try {
      if (step.do === 'probe') await steps.probe();
      else if (step.do === 'look') await steps.look();
      else if (step.do === 'push') await steps.push(step.policy);
    } catch (thrown) {
      steps.fail(step, thrown, known.desired !== desired);
    }
  }

  function tryAtOnce(): void {
    known.silent = false;
    known.retryAtMs = 0;
  }

  return {
    name: point.name,
    status: () => record.status(),
    setDesired(policy) {
      checkDesired(point.name, policy, known.desired, known.held);
      if (policy.revision === known.desired?.revision && policy.hash === known.desired.hash) return;
      known.desired = policy;
      failures.reset();
      tryAtOnce();
      // What was changed since the last look must not be written over.
      if (rules.onDrift === 'freeze') known.certainty = 'unknown';
      record.desired();
      tell();
      void run();
    },
    async kick() {
      known.certainty = 'unknown';
      tryAtOnce();
      await run();
      return record.status();
    },
    close() {
      cancelTimer();
      closed ??= Promise.resolve(running).then(() => point.close());
      return closed;
    },
  };
}

function rulesOf(options: ReconcilerOptions): PlanRules {
  return {
    onDrift: options.onDrift ?? 'repair',
    driftCheckIntervalMs: options.driftCheckIntervalMs ?? 30_000,
    probeIntervalMs: options.point.probe === undefined ? Number.POSITIVE_INFINITY : (options.probeIntervalMs ?? 500),
  };
}

type Held = { revision: number } | null;

function checkDesired(point: string, policy: CompiledPolicy, desired: Held, held: Held): void {
  if (policy.point !== point) {
    const message = `setting what ${point} shall hold: the policy is for ${policy.point}`;
    throw new EdgewardError('EDW_ERR_POINT_MISMATCH', message, { mend: 'This is a bug in the service: report it.' });
  }
  const newest = Math.max(desired?.revision ?? 0, held?.revision ?? 0);
  if (policy.revision < newest) throw revisionOlder(point, policy.revision, newest);
}
