/** Requests whose verdict must never change, on connections of their own, and a count of those that came out wrong. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from './benchmark.ts';
import { type Connection, openConnection } from './connection.ts';

export interface Steady {
  source: string;
  /** What every answer must be. */
  status: number;
  connections: number;
}

export interface Traffic {
  asked(): number;
  wrong(): number;
  /** Rejects when a connection broke: then nothing was proven. */
  stop(): Promise<void>;
}

/** A request on each connection about this often: enough to meet every switch, and little next to a load test. */
const everyMs = 4;

export async function startTraffic(bench: Bench, port: number, request: string, steady: Steady[]): Promise<Traffic> {
  const count = { asked: 0, wrong: 0 };
  let ended = false;
  const run = async (connection: Connection, status: number): Promise<void> => {
    while (!ended) {
      if ((await connection.ask(request)) !== status) count.wrong += 1;
      count.asked += 1;
      await sleep(everyMs);
    }
    connection.close();
  };
  const running: Promise<void>[] = [];
  for (const { source, status, connections } of steady)
    for (let n = 0; n < connections; n += 1) running.push(run(await openConnection(port, source), status));
  const all = Promise.all(running).then(() => {});
  // Reported by `stop`; without this, a broken connection would end the process before the teardown.
  all.catch(() => {});
  const stop = async (): Promise<void> => {
    ended = true;
    await all;
  };
  bench.teardown(stop);
  return { asked: () => count.asked, wrong: () => count.wrong, stop };
}
