/**
 * The sync service as a host sees it: mutual TLS, one address after the other. An answer is read as the protocol says or not at
 * all. Nothing is tried again here, and nothing is decided.
 */
import { Agent } from 'node:https';
import type { Digest } from '@edgeward/policy-format';
import { type HttpsAnswer as Answer, EdgewardError, type HttpsAsked } from '@edgeward/runtime';
import {
  BLOBS_LINE_BYTES,
  BLOBS_PATH,
  blobsIn,
  completeHostPolicy,
  denialAnswerSchema,
  type EnrolmentAnswer,
  enrolmentAnswerSchema,
  formatHeld,
  HELD_HEADER,
  HOST_POLICY_HEAD_TYPE,
  type HostReport,
  type HostReportAnswer,
  headPath,
  hostReportAnswerSchema,
  MAX_HOST_POLICY_BYTES,
  type RenewalRequest,
  rootPath,
} from '../protocol/index.ts';
import { type HeldPolicies, NONE_HELD } from './held-policies.ts';
import { badAnswer, exchange } from './https-exchange.ts';
import type { Identity } from './identity.ts';
import type { SendDenials } from './parts.ts';

type PolicyAnswer =
  | { state: 'policy'; etag: string | null; signed: Uint8Array }
  | { state: 'unchanged' }
  /** The service knows this host and has nothing for it. */
  | { state: 'none' };

export interface ServiceClient {
  /**
   * Something else than `etag`, if there is; with `wait` it is waited for, up to a minute. What lies here already, but for its
   * number, is not sent again.
   */
  policy(etag: string | null, options: { wait: boolean }): Promise<PolicyAnswer>;
  /** `fresh`: over a connection that is made for it. */
  report(report: HostReport, options?: { fresh: boolean }): Promise<HostReportAnswer>;
  denials: SendDenials;
  /** The signed head of the store that a policy of this revision was made from. Not looked at. */
  storeHead(revision: number): Promise<unknown>;
  /** A signed trust root; null where the service has none of this version. Not looked at. */
  storeRoot(version: number): Promise<unknown>;
  /** Of the first ones, at least one; none has more than `maxBytes`. Digests are not compared. */
  storeBlobs(wanted: readonly WantedBlob[]): Promise<(Uint8Array | null)[]>;
  renew(request: RenewalRequest): Promise<EnrolmentAnswer>;
  /** The address that answered last, or null. */
  remote(): { address: string; port: number } | null;
  close(): void;
}

interface WantedBlob {
  digest: Digest;
  maxBytes: number;
}

const POLICY_PATH = '/v1/host/policy';
/** The service may hold a long poll for 55 s. */
const POLL_SECONDS = 55;
const POLL_TIMEOUT_MS = 120_000;
const CALL_TIMEOUT_MS = 20_000;
const BLOBS_TIMEOUT_MS = 60_000;
const MAX_ANSWER_BYTES = 256 * 1024;
const MAX_ROOT_BYTES = 1024 * 1024;

interface Call {
  path: string;
  method: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: Uint8Array | string;
  fresh?: boolean;
  maxBytes?: number;
  timeoutMs?: number;
}

export interface ServiceClientOptions {
  identity: Identity;
  /** Empty: those of the identity. */
  service: readonly string[];
  /** What need not be sent again: nothing without it. */
  held?: HeldPolicies;
  /** Ends whatever is under way. */
  ending: AbortSignal;
}

export function createServiceClient(options: ServiceClientOptions): ServiceClient {
  const { identity, service, held = NONE_HELD, ending } = options;
  const urls = (service.length > 0 ? service : identity.service).map((url) => url.replace(/\/$/, ''));
  const tls = { ca: identity.authority, cert: identity.certificate, key: identity.key };
  const agent = new Agent({ keepAlive: true, maxSockets: 4, timeout: POLL_TIMEOUT_MS });
  let at = 0;
  let remote: { address: string; port: number } | null = null;

  async function call(asked: Call): Promise<Answer> {
    const url = urls[at % urls.length] ?? '';
    const { path, fresh = false, maxBytes = MAX_ANSWER_BYTES, timeoutMs = CALL_TIMEOUT_MS, ...rest } = asked;
    const connection = { url: `${url}${path}`, tls, agent: fresh ? (false as const) : agent, signal: ending };
    const whole: HttpsAsked = { ...connection, ...rest, maxBytes, timeoutMs };
    const answer = await exchange(whole).catch((thrown: unknown) => {
      // The next call goes to the next address.
      if (!ending.aborted) at += 1;
      throw thrown;
    });
    if (answer.remote !== null) remote = { address: answer.remote, port: Number(new URL(url).port || 443) };
    return answer;
  }

  function askPolicy(etag: string | null, wait: boolean, held: readonly string[]): Promise<Answer> {
    const headers: Record<string, string> = { 'accept-encoding': 'gzip' };
    if (wait) headers.prefer = `wait=${POLL_SECONDS}`;
    if (etag !== null) headers['if-none-match'] = etag;
    if (held.length > 0) headers[HELD_HEADER] = formatHeld(held);
    const bounds = { maxBytes: MAX_HOST_POLICY_BYTES, timeoutMs: POLL_TIMEOUT_MS };
    return call({ path: POLICY_PATH, method: 'GET', headers, ...bounds });
  }

  const post = (path: string, body: unknown, more: Partial<Call> = {}): Promise<Answer> =>
    call({
      path,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      ...more,
    });

  return {
    async policy(etag, { wait }) {
      const answer = await askPolicy(etag, wait, await held.names());
      if (!isHeadAlone(answer)) return policyIn(answer);
      const signed = await completeHostPolicy(answer.body, identity.signingKeys, held.read);
      if (signed !== null) return { state: 'policy', etag: answer.headers.etag ?? null, signed };
      // What lies here is not what was signed: then all of it, and that is taken as it comes.
      return policyIn(await askPolicy(etag, wait, []));
    },
    report: async (report, { fresh } = { fresh: false }) =>
      read('/v1/host/report', await post('/v1/host/report', report, { fresh }), hostReportAnswerSchema),
    denials: async (gzipped) => {
      const path = '/v1/host/denials';
      const headers = { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' };
      return read(path, await call({ path, method: 'POST', headers, body: gzipped }), denialAnswerSchema);
    },
    renew: async (request) =>
      read('/v1/host/certificate', await post('/v1/host/certificate', request), enrolmentAnswerSchema),
    storeHead: async (revision) => {
      const path = headPath(revision);
      return read(path, await call({ path, method: 'GET' }), ANYTHING);
    },
    storeRoot: async (version) => {
      const path = rootPath(version);
      const answer = await call({ path, method: 'GET', maxBytes: MAX_ROOT_BYTES });
      return answer.status === 204 ? null : read(path, answer, ANYTHING);
    },
    storeBlobs: async (wanted) => {
      const digests = [...new Set(wanted.map(({ digest }) => digest))];
      const bounds = wanted.reduce((sum, { maxBytes }) => sum + maxBytes, BLOBS_LINE_BYTES);
      const maxBytes = Math.min(bounds, MAX_HOST_POLICY_BYTES);
      const answer = await post(BLOBS_PATH, { digests }, { maxBytes, timeoutMs: BLOBS_TIMEOUT_MS });
      if (answer.status !== 200) throw refusalOf(BLOBS_PATH, answer);
      const found = blobsIn(answer.body, digests.length);
      if (found === null) throw badAnswer(BLOBS_PATH, 'it is not what the protocol says');
      const bytesOf = new Map(digests.slice(0, found.length).map((digest, at) => [digest, found[at] ?? null]));
      const last = wanted.findIndex(({ digest }) => !bytesOf.has(digest));
      return wanted.slice(0, last < 0 ? wanted.length : last).map(({ digest }) => bytesOf.get(digest) ?? null);
    },
    remote: () => remote,
    close: () => agent.destroy(),
  };
}

function isHeadAlone({ status, headers }: Answer): boolean {
  return status === 200 && headers['content-type'] === HOST_POLICY_HEAD_TYPE;
}

function policyIn(answer: Answer): PolicyAnswer {
  if (answer.status === 304) return { state: 'unchanged' };
  if (answer.status === 200) return { state: 'policy', etag: answer.headers.etag ?? null, signed: answer.body };
  const refusal = refusalOf(POLICY_PATH, answer);
  // Of any other server that knows no such path nothing follows.
  if (refusal.code === 'EDW_ERR_HOST_NO_POLICY') return { state: 'none' };
  throw refusal;
}

/** Whoever asked believes none of it before it is verified. */
const ANYTHING: Schema<unknown> = { safeParse: (data) => ({ success: true, data }) };

interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false };
}

/** Throws the refusal, or EDW_ERR_SERVICE_ANSWER for what the protocol does not know. */
export function read<T>(path: string, answer: Answer, schema: Schema<T>): T {
  if (answer.status < 200 || answer.status > 299) throw refusalOf(path, answer);
  const parsed = schema.safeParse(jsonOf(answer.body));
  if (parsed.success) return parsed.data;
  throw badAnswer(path, 'it is not what the protocol says');
}

/** What the service says itself, with its code; what comes from in between has none. */
function refusalOf(path: string, { status, headers, body }: Answer): EdgewardError {
  const value = jsonOf(body);
  const error = typeof value === 'object' && value !== null && 'error' in value ? value.error : value;
  const said = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>;
  const words = (name: string): string | null => (typeof said[name] === 'string' ? said[name].slice(0, 1000) : null);
  if (status === 429 || status === 503) return busy(path, headers['retry-after']);
  const code = words('code');
  if (code === null || !/^EDW_[A-Z0-9_]{1,64}$/.test(code)) return badAnswer(path, `status ${status}`);
  return new EdgewardError(code, words('message') ?? `${path} was refused`, {
    mend: words('mend') ?? 'Look at the status of the sync service.',
  });
}

/** As long as it asked for, in its cause: whoever sends again knows where to look. */
interface RetryAfter {
  retryAfterSeconds: number;
}

function busy(path: string, after: string | undefined): EdgewardError {
  const seconds = Number(after);
  const retryAfterSeconds = Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 3600) : 5;
  return new EdgewardError('EDW_ERR_SERVICE_BUSY', `${path}: the service asks to come back in ${retryAfterSeconds} s`, {
    mend: 'Nothing to do: it is tried again.',
    cause: { retryAfterSeconds } satisfies RetryAfter,
  });
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
}
