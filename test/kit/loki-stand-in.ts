/**
 * Stands in for a Loki, for tests of whatever pushes to one. What it is faithful to, with the evidence: M is measured on Loki
 * 3.4.6 with its defaults, S is read in Loki's sources (2.9 to 3.4), P is presumed.
 *
 * | of a push | evidence |
 * |---|---|
 * | one timestamp and one line are one entry, also with other structured metadata | M |
 * | one timestamp and another line are two entries | M |
 * | more than 1 h behind the newest of its stream: 400 `entry too far behind`, and `total ignored: N out of M` | M, words S |
 * | older ones first, then newer ones: all are stored | M |
 * | of a batch that is partly bad the good ones are stored, and the answer is 400 | M |
 * | older than 7 days: 400 `has timestamp too old`; more than 10 min ahead: 400 `has timestamp too new` | M, words S |
 * | such entries are looked for first and counted as `N errors like: …; N errors like: …` | S |
 * | where others are too far behind as well, the answer tells of those alone, and M is how many were looked at | S |
 * | a line of more than 256 KiB: 400 `Max entry size` | S |
 * | more than 15 labels: 400, nothing stored | M |
 * | of several streams the answer tells of the last one only | S |
 * | the first ten of ignored entries are named, and then their number | S |
 * | a timestamp that 64 bits can't hold: 400, nothing stored | P |
 * | all stored: 204 without a body | M |
 *
 * It reads back by `query_range` with a selector of equalities, oldest first (P). It does not know chunks: what the real one
 * hides until a flush can be read here at once. It has no limits of rate but those that a test asks for.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { closeServer } from './close-server.ts';

export interface StoredLine {
  labels: Record<string, string>;
  /** Nanoseconds. */
  timestamp: bigint;
  line: string;
}

/** What a test has it do with the next pushes, instead of taking them in. */
export type Fault =
  /** Answers so, and stores nothing. */
  | { kind: 'answer'; status: number; text?: string; headers?: Record<string, string> }
  /** Stores, and answers so all the same. */
  | { kind: 'answer-after-storing'; status: number }
  /** Never answers. */
  | { kind: 'silence' }
  /** Begins an answer and never ends it. */
  | { kind: 'trickle' }
  /** Cuts the connection. */
  | { kind: 'reset' };

export interface LokiStandIn {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** In the order of their storing. */
  lines(): StoredLine[];
  /** Of every push that came, whatever was done with it. */
  pushes(): { headers: IncomingHttpHeaders; entries: number }[];
  /** For every push from now on; null: none. */
  setFault(fault: Fault | null): void;
  /** Milliseconds since the epoch: the system's unless set. */
  setNow(now: () => number): void;
  close(): Promise<void>;
}

interface Stream {
  labels: Record<string, string>;
  newest: bigint;
  seen: Set<string>;
}

interface Entry {
  timestamp: bigint;
  line: string;
}

const ms = 1_000_000n;
const hourMs = 3_600_000;
const limits = {
  behindMs: hourMs,
  oldMs: 168 * hourMs,
  aheadMs: 600_000,
  labels: 15,
  lineBytes: 256 * 1024,
  named: 10,
};

export async function startLokiStandIn(tls: { cert: string; key: string } | null = null): Promise<LokiStandIn> {
  const streams = new Map<string, Stream>();
  const stored: StoredLine[] = [];
  const pushes: { headers: IncomingHttpHeaders; entries: number }[] = [];
  const held = new Set<ServerResponse>();
  let fault: Fault | null = null;
  let now = Date.now;

  /** What is wrong with it, or null; what is right is stored. */
  function take(labels: Record<string, string>, entries: readonly Entry[]): string | null {
    const name = nameOf(labels);
    const count = Object.keys(labels).length;
    if (count > limits.labels) return `entry for stream '${name}' has ${count} label names; limit ${limits.labels}`;
    const invalid = entries.map((entry) => invalidity(entry, name, now()));
    const refused = append(
      labels,
      entries.filter((_, place) => invalid[place] === null),
    );
    return refused ?? grouped(invalid.filter((words) => words !== null));
  }

  function append(labels: Record<string, string>, entries: readonly Entry[]): string | null {
    const name = nameOf(labels);
    const stream = streams.get(name) ?? { labels, newest: 0n, seen: new Set() };
    streams.set(name, stream);
    const ignored: string[] = [];
    for (const { timestamp, line } of entries) {
      const cutoff = stream.newest - BigInt(limits.behindMs) * ms;
      if (timestamp < cutoff) {
        ignored.push(
          `entry with timestamp ${goTime(timestamp)} ignored, reason: 'entry too far behind, entry timestamp is: ${rfc3339(
            timestamp,
          )}, oldest acceptable timestamp is: ${rfc3339(cutoff)}',\n`,
        );
        continue;
      }
      if (timestamp > stream.newest) stream.newest = timestamp;
      const key = `${timestamp} ${line}`;
      if (!stream.seen.has(key)) stored.push({ labels: stream.labels, timestamp, line });
      stream.seen.add(key);
    }
    if (ignored.length === 0) return null;
    const total = `user 'fake', total ignored: ${ignored.length} out of ${entries.length} for stream: ${name}`;
    return `${ignored.slice(0, limits.named).join('')}${total}`;
  }

  function push(request: IncomingMessage, body: Buffer, response: ServerResponse): void {
    const text = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString();
    const { streams: given } = JSON.parse(text) as {
      streams: { stream: Record<string, string>; values: string[][] }[];
    };
    pushes.push({ headers: request.headers, entries: given.reduce((sum, { values }) => sum + values.length, 0) });
    const made = fault;
    if (made?.kind === 'answer') {
      answer(response, made.status, made.text ?? '', made.headers);
      return;
    }
    if (made?.kind === 'reset') {
      request.socket.destroy();
      return;
    }
    if (made?.kind === 'silence' || made?.kind === 'trickle') {
      held.add(response);
      if (made.kind === 'trickle') response.writeHead(200, { 'content-length': 1_000 }).write('a');
      return;
    }
    const all = given.flatMap(({ values }) => values.map(([at = '0']) => BigInt(at)));
    const beyond = all.find((timestamp) => timestamp !== BigInt.asIntN(64, timestamp));
    if (beyond !== undefined) {
      answer(response, 400, `strconv.ParseInt: parsing "${beyond}": value out of range`);
      return;
    }
    let wrong: string | null = null;
    for (const { stream, values } of given) {
      wrong = take(
        stream,
        values.map(([at = '0', line = '']) => ({ timestamp: BigInt(at), line })),
      );
    }
    if (made?.kind === 'answer-after-storing') answer(response, made.status, '');
    else answer(response, wrong === null ? 204 : 400, wrong ?? '');
  }

  function query(url: URL, response: ServerResponse): void {
    const wanted = [...(url.searchParams.get('query') ?? '').matchAll(/([a-z_]+)="([^"]*)"/g)];
    const [start, end] = ['start', 'end'].map((name) => BigInt(url.searchParams.get(name) ?? 0));
    const found = stored
      .filter(({ labels }) => wanted.every(([, key = '', value]) => labels[key] === value))
      .filter(({ timestamp }) => timestamp >= (start ?? 0n) && timestamp < (end ?? 0n))
      .sort((a, b) => (a.timestamp < b.timestamp ? -1 : 1))
      .slice(0, Number(url.searchParams.get('limit') ?? 100));
    const result = [...new Set(found.map(({ labels }) => labels))].map((stream) => {
      const own = found.filter(({ labels }) => labels === stream);
      return { stream, values: own.map(({ timestamp, line }) => [`${timestamp}`, line]) };
    });
    answer(response, 200, JSON.stringify({ status: 'success', data: { resultType: 'streams', result } }));
  }

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('error', () => {});
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://loki');
      if (url.pathname.endsWith('/loki/api/v1/push')) push(request, Buffer.concat(pieces), response);
      else if (url.pathname.endsWith('/loki/api/v1/query_range')) query(url, response);
      else answer(response, url.pathname === '/ready' ? 200 : 404, 'ready\n');
    });
  };
  const server = tls === null ? createServer(handle) : createTlsServer(tls, handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http${tls === null ? '' : 's'}://127.0.0.1:${port}`,
    lines: () => [...stored],
    pushes: () => [...pushes],
    setFault: (next) => {
      fault = next;
    },
    setNow: (next) => {
      now = next;
    },
    async close() {
      for (const response of held) response.destroy();
      await closeServer(server);
    },
  };
}

function answer(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers });
  response.end(status === 204 ? undefined : text);
}

/** Labels as Loki writes them, by name. */
function nameOf(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${pairs.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(', ')}}`;
}

function invalidity({ timestamp, line }: Entry, name: string, nowMs: number): string | null {
  const oldest = BigInt(nowMs - limits.oldMs) * ms;
  if (timestamp < oldest)
    return `entry for stream '${name}' has timestamp too old: ${rfc3339(timestamp)}, oldest acceptable timestamp is: ${rfc3339(oldest)}`;
  if (timestamp > BigInt(nowMs + limits.aheadMs) * ms)
    return `entry for stream '${name}' has timestamp too new: ${rfc3339(timestamp)}`;
  const bytes = Buffer.byteLength(line);
  if (bytes > limits.lineBytes)
    return `Max entry size '${limits.lineBytes}' bytes exceeded for stream '${name}' while adding an entry with length '${bytes}' bytes`;
  return null;
}

function grouped(errors: readonly string[]): string | null {
  const counts = new Map<string, number>();
  for (const error of errors) counts.set(error, (counts.get(error) ?? 0) + 1);
  if (errors.length <= 1) return errors[0] ?? null;
  return [...counts].map(([error, count]) => `${count} errors like: ${error}`).join('; ');
}

/** To the second, rounded down. */
const rfc3339 = (timestamp: bigint): string => new Date(Number(timestamp / ms)).toISOString().replace(/\.\d+Z$/, 'Z');

const goTime = (timestamp: bigint): string =>
  `${new Date(Number(timestamp / ms)).toISOString().replace('T', ' ').replace('Z', '')} +0000 UTC`;
