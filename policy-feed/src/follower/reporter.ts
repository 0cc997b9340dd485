/**
 * What the store is told about a point: soon after something changed, else about once a minute. Many points that changed
 * together do not report together. A report that is lost is told again with the next one; nothing waits for it.
 */
import type { Nack, PointReport } from '@edgeward/policy-format';
import { backoff, type Clock, type Logger, messageOf, type Pause, pauseFor, whilePausing } from '@edgeward/runtime';
import type { Transport } from '../transport.ts';
import { jittered } from './jitter.ts';

/** What only the service knows that holds the point. */
export interface Observed {
  applied: number | null;
  state: PointReport['state'];
  /** Of compiling or applying; the follower's own comes before it. */
  nack: Nack | null;
  denials: PointReport['denials'];
}

export interface Reporter {
  soon(): void;
  close(): Promise<void>;
}

interface ReporterOptions {
  point: string;
  transport: Transport;
  clock: Clock;
  logger: Logger;
  random: () => number;
  reportMs: number;
  reportOf: () => PointReport;
}

/** What changes within this time is told together. */
const GATHER_MS = 300;
const RETRY_BASE_MS = 1_000;

export function createReporter(options: ReporterOptions): Reporter {
  const { transport, clock, random, reportMs } = options;
  const { report } = transport;
  if (report === null) return { soon: () => {}, close: async () => {} };
  const ending = new AbortController();
  const pauses = backoff({ baseMs: RETRY_BASE_MS, maxMs: reportMs, random });
  let changed = false;
  let pause: Pause | null = null;

  async function tell(send: NonNullable<typeof report>): Promise<number> {
    changed = false;
    try {
      await send(options.reportOf(), ending.signal);
      pauses.reset();
      return jittered(reportMs, random);
    } catch (thrown) {
      const fields = { event: 'report_lost', point: options.point, store: transport.name };
      if (!ending.signal.aborted) options.logger.debug(fields, messageOf(thrown));
      return pauses.nextMs();
    }
  }

  async function run(send: NonNullable<typeof report>): Promise<void> {
    let nextMs = jittered(GATHER_MS, random);
    while (!ending.signal.aborted) {
      pause = pauseFor(clock, changed ? 0 : nextMs);
      await whilePausing(pause, ending.signal);
      if (changed) await whilePausing(pauseFor(clock, GATHER_MS * (1 + random())), ending.signal);
      if (!ending.signal.aborted) nextMs = await tell(send);
    }
  }

  const running = run(report);
  return {
    soon() {
      if (changed) return;
      changed = true;
      pause?.end();
    },
    async close() {
      ending.abort();
      await running;
    },
  };
}
