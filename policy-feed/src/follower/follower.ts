/**
 * One point's policy, followed: what is newest in the store is looked for, verified, handed over, kept. While the store is
 * away what was last taken over stays in force, for ever. Decides nothing about what is desired; when something in a policy
 * ends is the business of whoever compiles it.
 */
import { join } from 'node:path';
import {
  type GoodSignatures,
  isName,
  type Nack,
  type PointReport,
  type PointState,
  type SignedDocument,
  type SignedHead,
  verifyFirstRoot,
} from '@edgeward/policy-format';
import { type Clock, type Logger, systemClock } from '@edgeward/runtime';
import { storeFailure } from '../failures.ts';
import { openPointFolder, type PointFolder } from '../state/point-folder.ts';
import type { Transport } from '../transport.ts';
import { createConversation, SPREAD_MS } from './conversation.ts';
import { type FollowerStatus, newSeen, reportOf, statusOf } from './follower-status.ts';
import { type Following, openFollowing } from './following.ts';
import { createNewsWatch, type NewsWatch } from './news-watch.ts';
import { createReportDesk } from './report-desk.ts';
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
  /** Shared by the followers of one service: what people signed once is for many points. */
  signatures?: GoodSignatures;
  clock?: Clock;
  random?: () => number;
  /** 10 s, give or take a fifth. No pause after a failure is longer. */
  pollMs?: number;
  /** 30 s, where there are polls beside it; 0 for polls and hints alone. */
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
  /** The signed trust root of this version, up to the one that is held: for whoever verifies behind this. Throws as a transport does. */
  root(version: number, signal: AbortSignal): Promise<SignedDocument | null>;
  status(): FollowerStatus;
  /** Something may be new. */
  checkSoon(): void;
  /** What `observe` says has changed. */
  reportSoon(): void;
  close(): Promise<void>;
}

/** Whoever finds nothing to take over says so; whoever finds something tells that instead. */
const FIRST_REPORT_MS = 3_000;

interface Started {
  takeover: Takeover;
  folder: PointFolder;
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
    root: async (version, signal) => (started === null ? null : rootOf(version, options, started, signal)),
    status: () => statusOf(point, transport.name, seen, started?.takeover.held() ?? null, clock.now()),
    checkSoon: () => started?.following.checkSoon(),
    reportSoon: () => started?.reportSoon(),
    async close() {
      await started?.close();
      started = null;
    },
  };
}

/** From disk where it is: what came before the pinned one was never needed here, and is asked for. */
async function rootOf(
  version: number,
  { pinnedRoot, transport }: FollowerOptions,
  { takeover, folder }: Started,
  signal: AbortSignal,
): Promise<SignedDocument | null> {
  if (version > takeover.held().root.version) return null;
  const pinned = verifyFirstRoot(pinnedRoot).version;
  if (version === pinned) return pinnedRoot;
  const kept = version > pinned ? (await folder.roots(version - 1))[0] : undefined;
  return kept ?? transport.root(version, signal);
}

async function startParts(options: FollowerOptions, seen: ReturnType<typeof newSeen>): Promise<Started> {
  const { point, transport, clock = systemClock, random = Math.random } = options;
  const { pollMs = 10_000, longPollMs = 30_000, reportMs = 60_000, coldStartMs = 2_000 } = options;
  const pinnedRoot = verifyFirstRoot(options.pinnedRoot);
  // It names a folder.
  if (!isName(point)) throw storeFailure('EDW_ERR_STORE_NO_POINT', 'following a point: what was given is no name');
  const folder = await openPointFolder(join(options.stateDir, point));
  const takeover = createTakeover({ ...options, clock, folder, pinnedRoot });
  const reportNow = (): PointReport =>
    reportOf({ point, service: options.service, seen, held: takeover.held(), nowMs: clock.now() }, options.observe?.());
  const onAnswer = (): void => {
    seen.lastCheckedAtMs = clock.now();
  };
  const common = { ...options, clock, random, pollMs, longPollMs, reportMs, coldStartMs, onAnswer };
  const ways = waysOf({ ...common, reportOf: reportNow, held: () => signedHeadOf(takeover.held().state) });
  const following = openFollowing({ ...common, ...ways, seen, takeover, onChange: ways.reportSoon });
  const close = async (): Promise<void> => {
    endHints();
    await following.close();
    await ways.close();
    await folder.close();
  };
  // One or the other: hints beside a long poll would say the same twice.
  const waits = transport.waits === true && longPollMs > 0;
  let endHints: () => void = () => {};
  try {
    await following.restore();
    if (!waits) endHints = transport.hints?.([point], following.checkSoon) ?? endHints;
    following.begin();
    return { takeover, folder, following, reportSoon: ways.reportSoon, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

interface Ways {
  watch: NewsWatch;
  tell?: (signal: AbortSignal) => Promise<void>;
  retryMs?: number;
  reportSoon: () => void;
  close: () => Promise<void>;
}

type WaysOptions = Required<
  Pick<FollowerOptions, 'clock' | 'random' | 'pollMs' | 'longPollMs' | 'reportMs' | 'coldStartMs'>
> &
  Pick<FollowerOptions, 'point' | 'transport' | 'logger'> & {
    reportOf: () => PointReport;
    held: () => SignedHead;
    onAnswer: () => void;
  };

/** What is new and what is told: in one question where the transport has one, else each by itself. */
function waysOf(options: WaysOptions): Ways {
  const { transport, reportMs, coldStartMs } = options;
  const { question } = transport;
  if (question === undefined || transport.waits !== true || options.longPollMs <= 0) {
    const reporter = createReporter(options);
    return { watch: createNewsWatch(options), reportSoon: reporter.soon, close: reporter.close };
  }
  const desk = createReportDesk({ ...options, firstMs: Math.min(reportMs, coldStartMs + FIRST_REPORT_MS) });
  const watch = createConversation({ ...options, transport: { ...transport, question }, desk });
  return { watch, tell: watch.tell, retryMs: SPREAD_MS, reportSoon: desk.soon, close: async () => {} };
}

function signedHeadOf(state: PointState | null): SignedHead {
  if (state === null) throw new RangeError('nothing is held yet');
  return { head: state.head, signed: state.signedHead };
}
