/**
 * What NGINX itself says is in force: the snapshot that the answering worker has read, asked over loopback, of its http and
 * of its stream part. No file is believed here. Throws EDW_ERR_POINT_UNREACHABLE, EDW_ERR_POINT_REFUSED.
 */
import { get } from 'node:http';
import { connect } from 'node:net';
import { EdgewardError, messageOf } from '@edgeward/runtime';

export interface InForce {
  generation: string;
  revision: number;
  hash: string;
}

export interface AskedAt {
  point: string;
  /** `http://127.0.0.1:9180`. */
  push: string;
  /** `tcp://127.0.0.1:9181`; null: this NGINX carries no stream servers. */
  streamPush: string | null;
  timeoutMs: number;
}

/** Every part that it carries; equal, unless somebody includes one of them from elsewhere. */
export interface Parts {
  http: InForce;
  stream: InForce | null;
}

const ACTIVE = /^(g[0-9a-z]{1,30}) ([0-9]{1,15}) ([0-9a-f]{64})$/;
const NO_HASH = '0'.repeat(64);
const MOST_BYTES = 4096;

export async function askInForce(at: AskedAt): Promise<Parts> {
  const [http, stream] = await Promise.all([askHttp(at), at.streamPush === null ? null : askStream(at, at.streamPush)]);
  return { http, stream };
}

/** Before the first policy. */
export function isNone({ hash }: InForce): boolean {
  return hash === NO_HASH;
}

async function askHttp(at: AskedAt): Promise<InForce> {
  const answer = await new Promise<string>((resolve, reject) => {
    const asked = get(`${at.push}/edgeward/active`, { agent: false, timeout: at.timeoutMs }, (response) => {
      collect(response, (text) => resolve(response.statusCode === 200 ? text : `status ${response.statusCode}`));
      response.once('error', reject);
    });
    asked.once('timeout', () => asked.destroy(new Error(`no answer after ${at.timeoutMs} ms`)));
    asked.once('error', reject);
  }).catch((cause: unknown) => {
    throw unreachable(at.point, at.push, cause);
  });
  return inForceOf(at.point, at.push, answer);
}

async function askStream(at: AskedAt, url: string): Promise<InForce> {
  const { hostname, port } = new URL(url);
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), timeout: at.timeoutMs });
    collect(socket, resolve);
    socket.once('timeout', () => socket.destroy(new Error(`no answer after ${at.timeoutMs} ms`)));
    socket.once('error', reject);
  }).catch((cause: unknown) => {
    throw unreachable(at.point, url, cause);
  });
  return inForceOf(at.point, url, answer);
}

function collect(
  from: NodeJS.ReadableStream & { destroy(error?: Error): unknown },
  done: (text: string) => void,
): void {
  let text = '';
  from.setEncoding('utf8');
  from.on('data', (piece: string) => {
    text += piece;
    if (text.length > MOST_BYTES) from.destroy(new Error('an answer without end'));
  });
  from.once('end', () => done(text));
}

function inForceOf(point: string, url: string, answer: string): InForce {
  const [, generation, revision, hash] = ACTIVE.exec(answer.trim()) ?? [];
  if (generation !== undefined && hash !== undefined) return { generation, revision: Number(revision), hash };
  const found = JSON.stringify(answer.slice(0, 80));
  throw new EdgewardError('EDW_ERR_POINT_REFUSED', `asking ${point} at ${url} what is in force: it said ${found}`, {
    mend: 'Include reload.conf in http { } (and reload-stream.conf in stream { }) and reload NGINX, or correct `push` and `streamPush` of this point.',
  });
}

function unreachable(point: string, url: string, cause: unknown): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_POINT_UNREACHABLE',
    `asking ${point} at ${url} what is in force: ${messageOf(cause)}`,
    {
      mend: 'Start NGINX, or correct `push` and `streamPush` of this point in edgeward.yaml; reload.conf names the address it listens on.',
      cause,
    },
  );
}
