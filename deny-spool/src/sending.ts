/**
 * What the spool holds is sent, from the first record that was not acknowledged, one batch at a time, again and again until it
 * is. Nothing is given up: what can't be sent stays. How a batch travels, and what is said of a failure, is the caller's. A
 * receiver that is away or busy is not asked more often because more comes in.
 */
import { type Backoff, type Clock, type Pause, pauseFor } from '@edgeward/runtime';
import type { DenySpool, ReadBounds, StoredRecord } from './deny-spool.ts';

export type Sent =
  /** Everything up to this number is stored there. */
  | { state: 'acknowledged'; seq: number }
  /** It asks for a pause of that long. */
  | { state: 'later'; afterMs: number }
  /** After a while, that grows with each. */
  | { state: 'again' };

export interface Sending {
  /** There may be something new. */
  wake(): void;
  /** After what is under way. */
  close(): Promise<void>;
}

export interface SendingOptions {
  spool: Pick<DenySpool, 'read' | 'acknowledge'>;
  /** Of the next batch. */
  bounds(): ReadBounds;
  /** Of what was read, as many from the first on as one batch takes; all of it without this. */
  fitting?: ((found: StoredRecord[]) => StoredRecord[]) | undefined;
  send(found: readonly StoredRecord[]): Promise<Sent>;
  /** What `send` or the spool threw: the batch is tried again. */
  failed(thrown: unknown): Sent;
  /** With nothing to send: how long to wait, and whether to send that. */
  idle: { ms: number; isSent: boolean };
  /** Between two batches. */
  paceMs(): number;
  pauses: Backoff;
  clock: Clock;
}

const LEAST_PAUSE_MS = 100;

export function startSending(options: SendingOptions): Sending {
  const { spool, idle, pauses, clock } = options;
  let [closed, woken] = [false, false];
  let pausing: Pause | null = null;
  let idling: Pause | null = null;
  const over = run();

  async function run(): Promise<void> {
    while (!closed) {
      woken = false;
      const waitMs = await turn();
      // What came while it was busy needs no second call; a receiver that asked for a pause gets it.
      if (closed || (waitMs === 'idle' && woken)) continue;
      pausing = pauseFor(clock, waitMs === 'idle' ? idle.ms : waitMs);
      idling = waitMs === 'idle' ? pausing : null;
      await pausing.over;
      idling = null;
    }
  }

  /** How long to wait before the next one; `idle`: until there is something. */
  async function turn(): Promise<number | 'idle'> {
    const sent = await sendOne().catch((thrown: unknown) => options.failed(thrown));
    if (sent === 'nothing') return 'idle';
    if (sent.state === 'later') return sent.afterMs;
    if (sent.state === 'again') return Math.max(LEAST_PAUSE_MS, pauses.nextMs());
    pauses.reset();
    return options.paceMs();
  }

  async function sendOne(): Promise<Sent | 'nothing'> {
    const read = await spool.read(options.bounds());
    const found = options.fitting === undefined ? read : options.fitting(read);
    const last = found.at(-1);
    if (last === undefined && !idle.isSent) return 'nothing';
    const sent = await options.send(found);
    if (sent.state !== 'acknowledged') return sent;
    if (last !== undefined) await spool.acknowledge(Math.min(sent.seq, last.seq));
    return last === undefined ? 'nothing' : sent;
  }

  return {
    wake: () => {
      woken = true;
      idling?.end();
    },
    close: async () => {
      closed = true;
      pausing?.end();
      await over;
    },
  };
}
