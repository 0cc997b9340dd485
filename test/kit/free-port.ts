/**
 * A port of loopback that nobody listens on. Taken from below the range that the kernel gives to outgoing connections
 * (Linux: from 32768), so that it is still free when a server stops and starts again there. Never the same one twice.
 */
import { createServer } from 'node:net';

const first = 20_000;
const count = 12_000;
const given = new Set<number>();

export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = first + Math.floor(Math.random() * count);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error(`no free port between ${first} and ${first + count}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
