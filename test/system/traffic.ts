/** Requests without end from several sources, while parts are killed. What came back is kept; what failed is counted. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, ask } from './site.ts';

export interface Traffic {
  /** By source, how often each status came. */
  statuses: Record<string, Record<number, number>>;
  /** References of all denials that a client has seen. */
  refs: string[];
  /** Connections that were refused or cut off. */
  failures: number;
  stop(): Promise<void>;
}

/** Some two hundred requests a second of three sources, so that each kill finds some in flight. */
const pauseMs = 12;

export function startTraffic(port: number, sources: readonly string[]): Traffic {
  let running = true;
  const traffic: Traffic = { statuses: {}, refs: [], failures: 0, stop };

  function note(source: string, { status, ref }: Answer): void {
    if (status === 0) {
      traffic.failures += 1;
      return;
    }
    const counts = traffic.statuses[source] ?? {};
    traffic.statuses[source] = counts;
    counts[status] = (counts[status] ?? 0) + 1;
    if (ref !== null) traffic.refs.push(ref);
  }

  async function send(source: string): Promise<void> {
    for (let n = 0; running; n += 1) {
      try {
        note(source, await ask(port, source, `/${n}`));
      } catch {
        traffic.failures += 1;
        await sleep(pauseMs * 4);
      }
      await sleep(pauseMs);
    }
  }

  const senders = sources.map(send);
  async function stop(): Promise<void> {
    running = false;
    await Promise.all(senders);
  }
  return traffic;
}
