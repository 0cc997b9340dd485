/**
 * Sends one batch and says what became of it: acknowledged, wanted later, refused, or nobody knows. It tries nothing again
 * and forgets nothing: whoever sends keeps a record until it is acknowledged, and sends it again however often; the collector
 * stores it once. A refusal is for a person to mend: nothing that was refused may be dropped.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { EdgewardError, type HttpsAnswer, messageOf } from '@edgeward/runtime';
import { type BatchPostOptions, type BatchTlsFiles, createBatchPost, unbelievable } from './batch-post.ts';
import { BATCH_PATH, BATCH_TYPE, batchAnswerSchema, type DenyBatch, formatDenyBatch } from './deny-batch.ts';

export interface BatchSenderOptions {
  /** Of the collector, without a path: `https://collector.example:9443`. */
  url: string;
  tls: BatchTlsFiles;
  /** For one batch and its answer: 30 s. */
  timeoutMs?: number | undefined;
  /** By which the sender says when it sent: the system's. */
  now?: (() => number) | undefined;
}

export interface BatchSender {
  /** Never rejects. One batch at a time, or the second is asked to come later. */
  send(batch: DenyBatch): Promise<BatchSent>;
  close(): void;
}

export type BatchSent =
  /** All of the records up to this number are stored. */
  | { state: 'acknowledged'; acknowledged: number }
  /** Busy, or more than was agreed: the same again after that time. */
  | { state: 'later'; afterMs: number; error: EdgewardError }
  /** Not as it is, however often; `status` is that of the answer. */
  | { state: 'refused'; status: number; error: EdgewardError }
  /** No answer, or none that can be believed: it may be stored, and is sent again. */
  | { state: 'unanswered'; error: EdgewardError };

const pack = promisify(gzip);
/** What a server may ask for. */
const LONGEST_WAIT_S = 3_600;
const USUAL_WAIT_S = 5;

export function createBatchSender(options: BatchSenderOptions): BatchSender {
  const { tls, timeoutMs, now = Date.now } = options;
  const url = `${options.url.replace(/\/+$/, '')}${BATCH_PATH}`;
  const post = createBatchPost({ url, tls, timeoutMs } satisfies BatchPostOptions);
  let acknowledged = 0;

  async function answerTo(batch: DenyBatch): Promise<BatchSent> {
    const text = formatDenyBatch(batch, now(), acknowledged);
    // Level 1: half of the time of the usual one, and a tenth more bytes.
    const body = await pack(text, { level: 1 });
    const headers = { 'content-type': BATCH_TYPE, 'content-encoding': 'gzip' };
    const sent = readAnswer(url, await post.post(body, headers), batch);
    if (sent.state === 'acknowledged') acknowledged = Math.max(acknowledged, sent.acknowledged);
    return sent;
  }

  return {
    send: (batch) => answerTo(batch).catch((thrown: unknown) => ({ state: 'unanswered', error: coded(url, thrown) })),
    close: post.close,
  };
}

function readAnswer(url: string, answer: HttpsAnswer, { epoch, records }: DenyBatch): BatchSent {
  const { status, headers, body } = answer;
  if (status === 429 || status === 503) {
    const afterMs = waitMsOf(headers['retry-after']);
    return { state: 'later', afterMs, error: errorIn(url, answer) };
  }
  if (status !== 200) {
    const error = errorIn(url, answer);
    return status >= 400 && status < 500 ? { state: 'refused', status, error } : { state: 'unanswered', error };
  }
  const read = batchAnswerSchema.safeParse(jsonOf(body));
  if (!read.success) throw unbelievable(url, 'it is not what the collector says');
  if (read.data.epoch !== epoch) throw unbelievable(url, 'it is about another epoch');
  const first = records[0]?.seq ?? 0;
  const last = records.at(-1)?.seq ?? Number.POSITIVE_INFINITY;
  if (read.data.acknowledged < first) throw unbelievable(url, 'nothing of the batch is stored');
  return { state: 'acknowledged', acknowledged: Math.min(read.data.acknowledged, last) };
}

/** Seconds, as the collector writes it; a date of somebody in between counts as the usual. */
function waitMsOf(retryAfter: string | undefined): number {
  const seconds = /^\d{1,6}$/.test(retryAfter ?? '') ? Number(retryAfter) : USUAL_WAIT_S;
  return Math.min(LONGEST_WAIT_S, Math.max(1, seconds)) * 1000;
}

/** What the collector says itself, with its code; whoever else answers has none. */
function errorIn(url: string, { status, body }: HttpsAnswer): EdgewardError {
  const value = jsonOf(body);
  const error = typeof value === 'object' && value !== null && 'error' in value ? value.error : null;
  const said = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>;
  const words = (name: string): string | null => (typeof said[name] === 'string' ? said[name].slice(0, 1_000) : null);
  const code = words('code');
  if (code === null || !/^EDW_[A-Z0-9_]{1,64}$/.test(code)) return unbelievable(url, `its status is ${status}`);
  const mend = words('mend') ?? 'Look at the log of the collector.';
  return new EdgewardError(code, `sending denials to ${url}: ${words('message') ?? `status ${status}`}`, { mend });
}

function coded(url: string, thrown: unknown): EdgewardError {
  return thrown instanceof EdgewardError ? thrown : unbelievable(url, messageOf(thrown));
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
}
