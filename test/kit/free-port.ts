/**
 * A port of loopback that nobody listens on. Taken from below the range that the kernel gives to outgoing connections
 * (Linux: from 32768), so that it is still free when a server stops and starts again there. Never the same one twice, and
 * while this process runs no other one of these tests is given it.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const first = 20_000;
const count = 12_000;
const claims = join(tmpdir(), 'edgeward-test-ports');
const given = new Set<number>();

export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = first + Math.floor(Math.random() * count);
    if (!claim(port)) continue;
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${first} and ${first + count}`);
}

/** What a process left behind that was killed is nobody's. */
function claim(port: number): boolean {
  if (given.has(port)) return false;
  const file = join(claims, String(port));
  if (isHeld(file)) return false;
  try {
    mkdirSync(claims, { recursive: true });
    writeFileSync(file, String(process.pid), { flag: 'wx' });
  } catch {
    return false;
  }
  if (given.size === 0) process.once('exit', release);
  given.add(port);
  return true;
}

function isHeld(file: string): boolean {
  try {
    process.kill(Number(readFileSync(file, 'utf8')) || process.pid, 0);
    return true;
  } catch {
    rmSync(file, { force: true });
    return false;
  }
}

function release(): void {
  for (const port of given) rmSync(join(claims, String(port)), { force: true });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
