/**
 * What everybody would do without a store: ask for the whole policy with the ETag of the last, wait, download it when it
 * has changed, read it. Nothing of it is verified and nothing compiled, which is in its favour.
 */
import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

export interface WholeOptions {
  url: string;
  points: readonly number[];
  tlsOf(point: number): { ca: string; cert: string; key: string };
  onPolicy(point: number): void;
}

interface Got {
  status: number;
  etag: string;
  body: Buffer;
}

const RETRY_MS = 100;
const unpack = promisify(gunzip);

let last: Promise<unknown> = Promise.resolve();

/** Hundreds share one memory here: a policy is held while it is read, and by one of them at a time. */
function inTurn(read: () => Promise<unknown>): Promise<unknown> {
  last = last.then(read);
  return last;
}

/** For ever; resolves at once. */
export async function followWhole(options: WholeOptions): Promise<void> {
  for (const point of options.points) void followOne(options, point);
}

async function followOne({ url, tlsOf, onPolicy }: WholeOptions, point: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ...tlsOf(point) });
  for (let etag = ''; ; ) {
    const got = await get(url, agent, etag).catch(() => null);
    if (got?.status !== 200) {
      // A connection that was closed while others of the process had their turn is opened anew.
      if (got === null) await sleep(RETRY_MS);
      continue;
    }
    await inTurn(async () => JSON.parse((await unpack(got.body)).toString()));
    etag = got.etag;
    onPolicy(point);
  }
}

function get(url: string, agent: Agent, etag: string): Promise<Got> {
  return new Promise((resolve, reject) => {
    const headers = { 'if-none-match': etag, prefer: 'wait=30', 'accept-encoding': 'gzip' };
    const sent = request(url, { agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => void chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, etag: response.headers.etag ?? '', body: Buffer.concat(chunks) }),
      );
    });
    sent.once('error', reject);
    sent.end();
  });
}
