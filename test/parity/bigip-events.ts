/** What a simulated BIG-IP sends over HSL, read in a few lines of the test's own. */
import { createServer, type Socket } from 'node:net';
import type { Denial, Teardown } from '@edgeward/test/kit';

export interface HslEvents {
  readonly port: number;
  /** In the order of their arrival, all since the start. */
  readonly events: (Denial & { sequence: string })[];
  /** The event at this place; null when none came within the time. With `mayFail` a missing one is no error. */
  next(at: number, waitMs: number, mayFail: boolean): Promise<HslEvents['events'][number] | null>;
}

export async function receiveHsl(t: Teardown): Promise<HslEvents> {
  const events: HslEvents['events'] = [];
  const sockets = new Set<Socket>();
  let told = (): void => {};
  const server = createServer((socket) => {
    let rest = '';
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    socket.setEncoding('latin1').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) events.push(readLine(line));
      told();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    port,
    events,
    next: async (at, waitMs, mayFail) => {
      // An event may overtake no answer, but an answer overtakes its event: it travels another way.
      const deadline = Date.now() + (mayFail ? 60 : waitMs);
      while (events.length <= at && Date.now() < deadline) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, deadline - Date.now());
          told = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      // What arrived while this process was held up is still read.
      for (let turn = 0; turn < 3 && events.length <= at; turn += 1) await new Promise(setImmediate);
      return events[at] ?? null;
    },
  };
}

function readLine(line: string): HslEvents['events'][number] {
  const match = /^<134>1 - - edgeward - deny (\[edgeward@32473 [^\]]*\]) (\{.*\})$/.exec(line);
  if (match === null) throw new Error(`no event: ${line}`);
  return { ...(JSON.parse(match[2] ?? '') as Denial), sequence: match[1] ?? '' };
}
