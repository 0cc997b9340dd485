/**
 * One point's policy, followed: what is newest in the store is looked for, verified, handed over, kept. While the store is
 * away what was last taken over stays in force, for ever. Decides nothing about what is desired; when something in a policy
 * ends is the business of whoever compiles it.
 */
import { join } from 'node:path';
import { isName, type Nack, type PointState, type SignedDocument, verifyFirstRoot } from '@edgeward/policy-format';
import { type Clock, type Logger, systemClock } from '@edgeward/runtime';
import { storeFailure } from '../failures.ts';
import { openPointFolder } from '../state/point-folder.ts';
import type { Transport } from '../transport.ts';
import { type FollowerStatus, newSeen, reportOf, statusOf } from './follower-status.ts';
import { type Following, openFollowing } from './following.ts';
import { createNewsWatch } from './news-watch.ts';
import { createReporter, type Observed } from './reporter.ts';
import { createTakeover, type OnState, type Takeover } from './takeover.ts';

export interface FollowerOptions {
  point: string;
  /** May be shared with other followers; closed by whoever opened it, after them. */
  transport: Transport;
  /** The trust root that was brought here by hand. */
  pinnedRoot: SignedDocument;
  /** The folder `point` in it is this follower's alone. */
  stateDir: string;
  /** Who speaks in reports. */
  service: string;
  logger: Logger;
  /**
   * Takes over what was verified, also what was last known, from disk. Awaited before anything of it is kept: what it
   * refuses by throwing was not taken over, and is offered again.
   */
  onState: OnState;
  /** Something was not taken over; what is in force stays. Once for each that is different. */
  onNack?: (nack: Nack) => void;
  /** For reports: what the point itself holds. */
  observe?: () => Observed;
  clock?: Clock;
  random?: () => number;
  /** 10 s, give or take a fifth. No pause after a failure is longer. */
  pollMs?: number;
  /** 30 s; 0 for polls and hints alone. */
  longPollMs?: number;
  /** 60 s, give or take a fifth. */
  reportMs?: number;
  /** The first question to the store is asked within this time: 2 s. */
  coldStartMs?: number;
}

export interface Follower {
  readonly point: string;
  /**
   * With what was last known handed over when it resolves; from then on it follows. Throws EDW_ERR_STATE_WRITE,
   * EDW_ERR_STATE_IN_USE, and what `verifyFirstRoot` throws.
   */
  start(): Promise<void>;
  state(): PointState | null;
  status(): FollowerStatus;
  /** Something may be new. */
  checkSoon(): void;
  /** What `observe` says has changed. */
  reportSoon(): void;
  close(): Promise<void>;
}

interface Started {
  takeover: Takeover;
  following: Following;
  reportSoon: () => void;
  close: () => Promise<void>;
}

export function createFollower(options: FollowerOptions): Follower {
  const { point, transport, clock = systemClock } = options;
  const seen = newSeen();
  let started: Started | null = null;
  return {
    point,
    async start() {
      started = await startParts(options, seen);
    },
    state: () => started?.takeover.held().state ?? null,
    status: () => statusOf(point, transport.name, seen, started?.takeover.held() ?? null, clock.now()),
    checkSoon: () => started?.following.checkSoon(),
    reportSoon: () => started?.reportSoon(),
    async close() {
      await started?.close();
      started = null;
    },
  };
}

async function startParts(options: FollowerOptions, seen: ReturnType<typeof newSeen>): Promise<Started> {
  const { point, transport, clock = systemClock, random = Math.random } = options;
  const { pollMs = 10_000, longPollMs = 30_000, reportMs = 60_000, coldStartMs = 2_000 } = options;
  const pinnedRoot = verifyFirstRoot(options.pinnedRoot);
  // It names a folder.
  if (!isName(point)) throw storeFailure('EDW_ERR_STORE_NO_POINT', 'following a point: what was given is no name');
  const folder = await openPointFolder(join(options.stateDir, point));
  const takeover = createTakeover({ ...options, clock, folder, pinnedRoot });
  const reporter = createReporter({
    ...options,
    clock,
    random,
    reportMs,
    reportOf: () =>
      reportOf(
        { point, service: options.service, seen, held: takeover.held(), nowMs: clock.now() },
        options.observe?.(),
      ),
  });
  const onAnswer = (): void => {
    seen.lastCheckedAtMs = clock.now();
  };
  const watch = createNewsWatch({ point, transport, clock, pollMs, longPollMs, random, onAnswer });
  const parts = { ...options, clock, random, pollMs, coldStartMs, seen, takeover, watch, onAnswer };
  const following = openFollowing({ ...parts, onChange: reporter.soon });
  const close = async (): Promise<void> => {
    endHints();
    await following.close();
    await reporter.close();
    await folder.close();
  };
  // One or the other: hints beside a long poll would say the same twice.
  const waits = transport.waits === true && longPollMs > 0;
  let endHints: () => void = () => {};
  try {
    await following.restore();
    if (!waits) endHints = transport.hints?.([point], following.checkSoon) ?? endHints;
    following.begin();
    return { takeover, following, reportSoon: reporter.soon, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}
