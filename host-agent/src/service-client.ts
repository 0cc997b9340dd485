/**
 * The sync service as a host sees it: mutual TLS, one address after the other. An answer is read as the protocol says or not at
 * all. Nothing is tried again here, and nothing is decided.
 */
import { Agent } from 'node:https';
import { EdgewardError } from '@edgeward/runtime';
import {
  denialAnswerSchema,
  type EnrolmentAnswer,
  enrolmentAnswerSchema,
  type HostReport,
  type HostReportAnswer,
  hostReportAnswerSchema,
  MAX_HOST_POLICY_BYTES,
  type RenewalRequest,
} from '../protocol/index.ts';
import { type Answer, badAnswer, type Exchange, exchange } from './https-exchange.ts';
import type { Identity } from './identity.ts';
import type { SendDenials } from './parts.ts';

type PolicyAnswer =
  | { state: 'policy'; etag: string | null; signed: Buffer }
  | { state: 'unchanged' }
  /** The service knows this host and has nothing for it. */
  | { state: 'none' };

export interface ServiceClient {
  /** Waits for something else than `etag`, up to a minute. */
  policy(etag: string | null): Promise<PolicyAnswer>;
  /** `fresh`: over a connection that is made for it. */
  report(report: HostReport, options?: { fresh: boolean }): Promise<HostReportAnswer>;
  denials: SendDenials;
  renew(request: RenewalRequest): Promise<EnrolmentAnswer>;
  /** The address that answered last, or null. */
  remote(): { address: string; port: number } | null;
  close(): void;
}

/** The service may hold a long poll for 55 s. */
const POLL_SECONDS = 55;
const POLL_TIMEOUT_MS = 120_000;
const CALL_TIMEOUT_MS = 20_000;
const MAX_ANSWER_BYTES = 256 * 1024;

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
  /** Ends whatever is under way. */
  ending: AbortSignal;
}

export function createServiceClient({ identity, service, ending }: ServiceClientOptions): ServiceClient {
  const urls = (service.length > 0 ? service : identity.service).map((url) => url.replace(/\/$/, ''));
  const tls = { ca: identity.authority, cert: identity.certificate, key: identity.key };
  const agent = new Agent({ keepAlive: true, maxSockets: 4, timeout: POLL_TIMEOUT_MS });
  let at = 0;
  let remote: { address: string; port: number } | null = null;

  async function call(asked: Call): Promise<Answer> {
    const url = urls[at % urls.length] ?? '';
    const { path, fresh = false, maxBytes = MAX_ANSWER_BYTES, timeoutMs = CALL_TIMEOUT_MS, ...rest } = asked;
    const connection = { url: `${url}${path}`, tls, agent: fresh ? (false as const) : agent, signal: ending };
    const whole: Exchange = { ...connection, ...rest, maxBytes, timeoutMs };
    const answer = await exchange(whole).catch((thrown: unknown) => {
      // The next call goes to the next address.
      if (!ending.aborted) at += 1;
      throw thrown;
    });
    if (answer.remote !== null) remote = { address: answer.remote, port: Number(new URL(url).port || 443) };
    return answer;
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
    async policy(etag) {
      const path = '/v1/host/policy';
      const headers: Record<string, string> = { 'accept-encoding': 'gzip', prefer: `wait=${POLL_SECONDS}` };
      if (etag !== null) headers['if-none-match'] = etag;
      const bounds = { maxBytes: MAX_HOST_POLICY_BYTES, timeoutMs: POLL_TIMEOUT_MS };
      const answer = await call({ path, method: 'GET', headers, ...bounds });
      if (answer.status === 304) return { state: 'unchanged' };
      if (answer.status === 200) return { state: 'policy', etag: answer.headers.etag ?? null, signed: answer.body };
      const refusal = refusalOf(path, answer);
      // Of any other server that knows no such path nothing follows.
      if (refusal.code === 'EDW_ERR_HOST_NO_POLICY') return { state: 'none' };
      throw refusal;
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
    remote: () => remote,
    close: () => agent.destroy(),
  };
}

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
