/**
 * Tells the service how this host is: about once a minute, and at once when something changed. One report under way; what
 * changes meanwhile is in the next. A report that does not arrive is not kept: the next one says more.
 */
import { type Clock, pauseFor } from '@edgeward/runtime';
import { HEARTBEAT_JITTER, HEARTBEAT_MS } from '../protocol/index.ts';

export interface Heartbeat {
  /** Something changed. */
  soon(): void;
  close(): Promise<void>;
}

export interface HeartbeatOptions {
  clock: Clock;
  /** What is done before each report. Must not reject. */
  tend: () => Promise<void>;
  /** Must not reject. */
  report: () => Promise<void>;
}

/** However much happens, there is no second report within this. */
const LEAST_MS = 1_000;

export function startHeartbeat({ clock, tend, report }: HeartbeatOptions): Heartbeat {
  const state = { ended: false, isAsked: false };
  let rest = pauseFor(clock, 0);
  let least = rest;

  async function beat(): Promise<void> {
    while (!state.ended) {
      state.isAsked = false;
      await tend();
      await report();
      if (state.ended) return;
      least = pauseFor(clock, LEAST_MS);
      await least.over;
      // What changed since then was told to nobody yet.
      if (state.ended || state.isAsked) continue;
      rest = pauseFor(clock, jittered(HEARTBEAT_MS - LEAST_MS));
      await rest.over;
    }
  }

  const done = beat();
  return {
    soon() {
      state.isAsked = true;
      rest.end();
    },
    close() {
      state.ended = true;
      rest.end();
      least.end();
      return done;
    },
  };
}

function jittered(ms: number): number {
  return Math.floor(ms * (1 + HEARTBEAT_JITTER * (2 * Math.random() - 1)));
}
