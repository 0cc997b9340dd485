/**
 * When an NGINX is ready, and when a reload is done. Workers are forked after every port is bound, so a worker is the
 * proof; a connection alone is none, for while NGINX retries a port in use its owner answers.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Master } from './master.ts';

export type Listener = { readonly host: string; readonly port: number } | { readonly path: string };

const pollMs = 20;

/** False when it exited first, or when the time is over. */
export async function becomesReady(of: {
  master: Master;
  listener: Listener | undefined;
  exited: Promise<unknown>;
  timeoutMs: number;
}): Promise<boolean> {
  let gone = false;
  void of.exited.then(() => {
    gone = true;
  });
  const serves = async (): Promise<boolean> =>
    (await of.master.workers()).length > 0 && (of.listener === undefined || (await accepts(of.listener)));
  return until(async () => gone || (await serves()), of.timeoutMs).then((reached) => reached && !gone);
}

/** True when there are new workers and every one of `before` is leaving or gone. */
export function allReplaced(master: Master, before: readonly number[], timeoutMs: number): Promise<boolean> {
  return until(async () => {
    const serving = (await master.workers()).filter((worker) => !worker.leaving).map((worker) => worker.pid);
    return serving.length > 0 && !serving.some((pid) => before.includes(pid));
  }, timeoutMs);
}

/** True when it takes connections within the time. */
export function listens(listener: Listener, timeoutMs: number): Promise<boolean> {
  return until(() => accepts(listener), timeoutMs);
}

async function until(holds: () => Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    if (await holds()) return true;
    await sleep(pollMs);
  }
  return false;
}

function accepts(listener: Listener): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ ...listener, timeout: 1_000 });
    const answer = (accepted: boolean): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
    socket.once('timeout', () => answer(false));
  });
}
