/**
 * An example client: asks for the same things again and again, so that there is traffic to watch, and says when an answer
 * changes. One line each: what it asked, the status, the reference of a denial. A URL and its method are one word. Without
 * --every it asks once; --from names an address of its own machine:
 *
 *     node client.ts --every 2s GET=http://shop.example:8080/v1/orders/7
 *     node client.ts --from 127.0.10.4 GET=http://127.0.80.1:8088/v1/orders/7
 */
import { request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';

interface Answer {
  /** 0: there was none. */
  status: number;
  ref: string | null;
}

const { values, positionals: requests } = parseArgs({
  options: { every: { type: 'string' }, from: { type: 'string' } },
  allowPositionals: true,
});
const told = new Map<string, number>();
const ended = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => ended.abort());

do {
  for (const asked of requests) tell(asked, await ask(asked));
  if (values.every === undefined) break;
  await pause(Number.parseFloat(values.every) * 1000, undefined, { signal: ended.signal }).catch(() => {});
} while (!ended.signal.aborted);

function ask(asked: string): Promise<Answer> {
  const [method = 'GET', url = ''] = asked.split(/=(.*)/);
  return new Promise((resolve) => {
    const outgoing = request(url, { method, localAddress: values.from, agent: false, timeout: 5000 }, (response) => {
      response.resume();
      const ref = response.headers['edgeward-ref'];
      const answer = { status: response.statusCode ?? 0, ref: typeof ref === 'string' ? ref : null };
      response.on('end', () => resolve(answer)).on('error', () => resolve(answer));
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')));
    outgoing.on('error', () => resolve({ status: 0, ref: null }));
    outgoing.end();
  });
}

function tell(asked: string, { status, ref }: Answer): void {
  if (told.get(asked) === status) return;
  told.set(asked, status);
  process.stdout.write(`${asked} ${status}${ref === null ? '' : ` reference ${ref}`}\n`);
}
