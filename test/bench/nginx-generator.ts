/**
 * The process that asks: sixteen kept connections to one server, one request at a time on each, every request from another
 * source in `X-Real-IP`. It has to cost less than what it measures, so an answer is read by its length and its status alone;
 * one of another length than the last is read as a whole. Said and told over the channel to the parent.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { quantile } from './statistics.ts';

export interface GeneratorTold {
  is: 'sources';
  sources: Record<string, string[]>;
}

/** Ask at this port, with these sources in turn, for so long. Answers with another status are wrong. */
export interface SliceTold {
  is: 'slice';
  port: number;
  tls: boolean;
  path: string;
  sources: string;
  status: number;
  /** Without it: until `stop`. */
  ms?: number;
  connections: number;
}

export type Told = GeneratorTold | SliceTold | { is: 'stop' };

export interface Sliced {
  is: 'sliced';
  asked: number;
  wrong: number;
  /** Connections that NGINX closed, and that were opened again. */
  closed: number;
  seconds: number;
  /** Of one answer, in milliseconds. */
  p99Ms: number;
  slowestMs: number;
}

export type Said = Sliced | { is: 'ready' };

interface Line {
  port: number;
  tls: boolean;
  socket: Socket | null;
  /** What to do with the status of the answer that comes next; 0: the connection was closed instead. */
  answered: (status: number) => void;
}

const pools = new Map<string, Promise<Line[]>>();
const lists = new Map<string, string[]>();
const requests = new Map<string, Buffer[]>();
const WAITED_LIMIT = 1_000_000;
const waited = new Float64Array(WAITED_LIMIT);
let stopped = false;

/** Built once for a list and a path: making text for each request would cost more than sending it. */
function requestsOf(list: string, path: string): Buffer[] {
  const key = `${list} ${path}`;
  const known = requests.get(key);
  if (known !== undefined) return known;
  const made = (lists.get(list) ?? []).map((source) =>
    Buffer.from(`GET ${path} HTTP/1.1\r\nHost: shop.example\r\nX-Real-IP: ${source}\r\n\r\n`, 'latin1'),
  );
  requests.set(key, made);
  return made;
}

async function lineTo(port: number, tls: boolean): Promise<Line> {
  const line: Line = { port, tls, socket: null, answered: () => {} };
  await open(line);
  return line;
}

function open(line: Line): Promise<void> {
  return new Promise((resolve, reject) => {
    const read = reader((status) => line.answered(status));
    const options = { host: '127.0.0.1', port: line.port, noDelay: true };
    // One buffer for all that comes; and the certificate was made for this run, where nobody looks at anything but verdicts.
    const socket = line.tls
      ? connectTls({ ...options, rejectUnauthorized: false }, resolve)
      : connect({ ...options, onread: { buffer: Buffer.alloc(65_536), callback: read } }, resolve);
    if (line.tls) socket.on('data', (piece: Buffer) => void read(piece.length, piece));
    socket.on('error', reject);
    socket.on('close', () => line.answered(0));
    line.socket = socket;
  });
}

/** Calls back once for each answer. */
function reader(answered: (status: number) => void): (length: number, bytes: Uint8Array) => boolean {
  let usual = 0;
  let seen = '';
  return (length, bytes) => {
    const status = ((bytes[9] ?? 0) - 48) * 100 + ((bytes[10] ?? 0) - 48) * 10 + (bytes[11] ?? 0) - 48;
    if (seen === '' && length === usual) {
      answered(status);
      return true;
    }
    seen += Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1');
    const whole = wholeLength(seen);
    if (whole === 0 || seen.length < whole) return true;
    const found = Number(seen.slice(9, 12));
    usual = whole;
    seen = '';
    answered(found);
    return true;
  };
}

/** 0: more is to come. */
function wholeLength(text: string): number {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return 0;
  const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, end + 2));
  if (length === null) throw new Error(`an answer without a length: ${text.slice(0, 80)}`);
  return end + 4 + Number(length[1]);
}

interface Count {
  asked: number;
  wrong: number;
  closed: number;
  next: number;
}

async function slice(told: SliceTold): Promise<Sliced> {
  const lines = await poolOf(told);
  const sent = requestsOf(told.sources, told.path);
  const count: Count = { asked: 0, wrong: 0, closed: 0, next: 0 };
  stopped = false;
  const from = performance.now();
  const until = told.ms === undefined ? Number.POSITIVE_INFINITY : from + told.ms;
  await Promise.all(lines.map((line) => keepAsking(line, sent, told.status, count, until)));
  const seconds = (performance.now() - from) / 1000;
  const times = waited.subarray(0, Math.min(count.asked, WAITED_LIMIT));
  return {
    is: 'sliced',
    asked: count.asked,
    wrong: count.wrong,
    closed: count.closed,
    seconds,
    p99Ms: quantile([...times], 0.99),
    slowestMs: times.reduce((most, ms) => Math.max(most, ms), 0),
  };
}

function poolOf({ port, tls, connections }: SliceTold): Promise<Line[]> {
  const key = `${port} ${connections}`;
  const known = pools.get(key) ?? Promise.all(Array.from({ length: connections }, () => lineTo(port, tls)));
  pools.set(key, known);
  return known;
}

/** Without a promise for each request: what asks must cost less than what answers. */
function keepAsking(line: Line, sent: Buffer[], status: number, count: Count, until: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let sentAt = 0;
    const ask = (): void => {
      sentAt = performance.now();
      count.next = (count.next + 1) % sent.length;
      line.socket?.write(sent[count.next] ?? Buffer.alloc(0));
    };
    const again = (): void => {
      count.closed += 1;
      if (stopped) resolve();
      else open(line).then(ask, reject);
    };
    line.answered = (found) => {
      if (found === 0) return again();
      const now = performance.now();
      waited[count.asked % WAITED_LIMIT] = now - sentAt;
      count.asked += 1;
      if (found !== status) count.wrong += 1;
      if (stopped || now >= until) finish();
      else ask();
    };
    const finish = (): void => {
      line.answered = () => {};
      resolve();
    };
    // Closed between two slices, by a reload.
    if (line.socket === null || line.socket.destroyed) again();
    else ask();
  });
}

process.on('message', (told: Told) => {
  if (told.is === 'stop') stopped = true;
  else if (told.is === 'sources') {
    for (const [name, list] of Object.entries(told.sources)) lists.set(name, list);
    requests.clear();
    process.send?.({ is: 'ready' } satisfies Said);
  } else {
    // A failure ends this process, which its parent waits for as well.
    void slice(told).then((sliced) => process.send?.(sliced));
  }
});
process.on('disconnect', () => process.exit(0));
