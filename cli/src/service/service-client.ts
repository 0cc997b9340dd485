/**
 * Asks the sync service on this machine through its status API, or another daemon that has a ledger. Every way to get no
 * answer has its own code: nobody there, somebody else there, no answer in time. What the service itself refuses keeps the
 * service's code and mend. The token goes to loopback only: nothing crosses a network in clear.
 */
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { EdgewardError, messageOf, readSecret, systemCodeOf } from '@edgeward/runtime';
import { loadServiceConfig, type ServiceConfig } from '@edgeward/sync-service/config';
import type { ZodType } from 'zod';
import { configOption } from '../config-option.ts';
import { readBounded } from '../frame/bounded-body.ts';
import type { Context, Option } from '../frame/command.ts';
import { durationOption } from '../frame/option-values.ts';
import type { Answered } from '../frame/status-watch.ts';
import { usageError } from '../frame/usage-error.ts';

/** Several values: the parameter is repeated. */
export type Query = Record<string, string | number | readonly string[] | undefined>;

interface Asking<T> {
  method?: 'GET' | 'POST';
  path: string;
  query?: Query;
  body?: unknown;
  answer: ZodType<T>;
  /** Ends the asking early; it then rejects. */
  signal?: AbortSignal;
}

export interface ServiceClient {
  ask<T>(asking: Asking<T>): Promise<Answered<T>>;
}

export const serviceOptions: Record<string, Option> = {
  config: configOption,
  timeout: { type: 'string', value: 'TIME', says: 'How long to wait for an answer, as in 5s; 10s without it.' },
};

/** For what any daemon with a ledger answers. */
export const ledgerOptions: Record<string, Option> = {
  ...serviceOptions,
  url: {
    type: 'string',
    value: 'URL',
    says: 'Another daemon with a ledger, as in http://127.0.0.1:9402, in place of the one that --config names.',
  },
  'token-file': { type: 'string', value: 'FILE', says: 'With --url: the token that its API asks for.' },
};

export const serviceExits = {
  4: 'the sync service gave no answer within --timeout',
  69: 'the sync service is not there',
  78: 'the configuration, or the token file that it names, is invalid',
} as const;

/** Where the service listens and what it wants to be shown. */
type ServicePlace = ServiceConfig['api'] & {
  called: string;
  /** What to do where nobody is there, or somebody else. */
  mends: { away: string; other: string };
};

const defaultTimeoutMs = 10_000;
const maxAnswerBytes = 64 << 20;

export async function openService(context: Context, command: string): Promise<ServiceClient> {
  return clientOf(context, command, () => configuredPlace(context));
}

/** The same, or whichever daemon `--url` names. */
export async function openLedgerService(context: Context, command: string): Promise<ServiceClient> {
  return clientOf(context, command, async () => namedPlace(context, command) ?? (await configuredPlace(context)));
}

async function clientOf(
  context: Context,
  command: string,
  placeOf: () => Promise<ServicePlace>,
): Promise<ServiceClient> {
  const timeoutMs = durationOption(context, 'timeout', command) ?? defaultTimeoutMs;
  if (timeoutMs === 0) throw usageError('--timeout: no answer comes in no time', command);
  const place = await placeOf();
  const token = await readToken(place);
  return {
    async ask(asking) {
      const raw = await exchange(place, token, timeoutMs, asking);
      return { raw, value: understand(place, asking, raw) };
    },
  };
}

async function configuredPlace({ text, env }: Context): Promise<ServicePlace> {
  const { api } = await loadServiceConfig({ file: text('config'), env });
  const away = 'Start it with `edgeward serve --config FILE`, or name the file that it was started with by --config.';
  const other =
    'Check `api.listen` in the configuration, and that this `edgeward` and the service have the same version.';
  return { ...api, called: 'the sync service', mends: { away, other } };
}

/** null: none is named. */
function namedPlace({ text }: Context, command: string): ServicePlace | null {
  const [url, tokenFile] = [text('url'), text('token-file')];
  if (url === undefined && tokenFile === undefined) return null;
  if (url === undefined || tokenFile === undefined) {
    throw usageError('--url and --token-file are given together', command);
  }
  if (text('config') !== undefined) throw usageError("--url and --config can't be given together", command);
  const read = URL.parse(url);
  const host = read?.hostname.replace(/^\[(.*)\]$/, '$1') ?? '';
  if (read === null || read.protocol !== 'http:' || read.pathname !== '/' || !isLoopback(host)) {
    throw usageError(`--url: '${url}' names no daemon of this machine`, command, 'Write http://127.0.0.1:9402.');
  }
  const mends = {
    away: 'Start it, or correct --url or --token-file.',
    other: 'Correct --url, and check that this `edgeward` and that daemon have the same version.',
  };
  return { host, port: Number(read.port === '' ? 80 : read.port), tokenFile, called: 'the daemon', mends };
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);

async function readToken(place: ServicePlace): Promise<string> {
  try {
    return await readSecret(place.tokenFile);
  } catch (thrown) {
    if (!(thrown instanceof EdgewardError) || systemCodeOf(thrown.cause) !== 'ENOENT') throw thrown;
    // The service makes the file when it starts: without it, it has not been running here.
    throw unreachable(place, `there is no token in ${place.tokenFile}`, thrown);
  }
}

async function exchange(
  place: ServicePlace,
  token: string,
  timeoutMs: number,
  asking: Asking<unknown>,
): Promise<unknown> {
  const late = AbortSignal.timeout(timeoutMs);
  const signal = asking.signal === undefined ? late : AbortSignal.any([late, asking.signal]);
  try {
    const { status, text } = await send(place, token, signal, asking);
    return contentOf(place, status, text);
  } catch (thrown) {
    if (thrown instanceof EdgewardError) throw thrown;
    if (late.aborted) throw timedOut(place, timeoutMs, thrown);
    throw unreachable(place, messageOf(thrown), thrown);
  }
}

async function send(
  { host, port }: ServicePlace,
  token: string,
  signal: AbortSignal,
  { method = 'GET', path, query, body }: Asking<unknown>,
): Promise<{ status: number; text: string }> {
  const given = Object.entries(query ?? {}).flatMap(([key, value]) =>
    (value === undefined ? [] : [value].flat()).map((one): [string, string] => [key, `${one}`]),
  );
  const search = given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
  const content = body === undefined ? '' : JSON.stringify(body);
  const headers = {
    authorization: `Bearer ${token}`,
    accept: 'application/json',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    'content-length': Buffer.byteLength(content),
  };
  // An agent of its own: the global one may go through a proxy that the environment names, and takes the token along.
  const agent = new Agent({ keepAlive: false });
  const sent = request({ host, port, method, path: `${path}${search}`, headers, agent, signal });
  sent.end(content);
  const [response] = (await once(sent, 'response', { signal })) as [IncomingMessage];
  return { status: response.statusCode ?? 0, text: await textOf(response) };
}

async function textOf(response: IncomingMessage): Promise<string> {
  const bytes = await readBounded(response, maxAnswerBytes);
  if (bytes === null) throw new Error(`the answer is longer than ${maxAnswerBytes} bytes`);
  return bytes.toString('utf8');
}

function contentOf(place: ServicePlace, status: number, text: string): unknown {
  const content = parsed(text);
  if (status >= 200 && status < 300 && content !== undefined) return content;
  const error = refusalIn(content);
  if (error === null) throw notOurs(place, `it answered ${status} with something else`);
  if (status === 503 || status === 429) {
    throw new EdgewardError('EDW_ERR_SERVICE_BUSY', `${error.code}: ${error.message}`, { mend: error.mend });
  }
  throw new EdgewardError(error.code, error.message, { mend: error.mend });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refusalIn(content: unknown): { code: string; message: string; mend: string } | null {
  const error = (content as { error?: Record<string, unknown> } | null | undefined)?.error;
  const { code, message, mend } = error ?? {};
  const ours = typeof code === 'string' && /^EDW_[A-Z_]{1,64}$/.test(code);
  return ours && typeof message === 'string' && typeof mend === 'string' ? { code, message, mend } : null;
}

function understand<T>(place: ServicePlace, { path, answer }: Asking<T>, raw: unknown): T {
  const read = answer.safeParse(raw);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw notOurs(place, `its answer to ${path} is not understood: ${issue?.path.join('.')}: ${issue?.message}`);
}

function addressOf({ host, port }: ServicePlace): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function unreachable(place: ServicePlace, why: string, cause: unknown): EdgewardError {
  const message = `asking ${place.called} at ${addressOf(place)}: ${why}`;
  return new EdgewardError('EDW_ERR_SERVICE_UNREACHABLE', message, { mend: place.mends.away, cause });
}

function timedOut(place: ServicePlace, timeoutMs: number, cause: unknown): EdgewardError {
  const message = `asking ${place.called} at ${addressOf(place)}: no answer within ${timeoutMs} ms`;
  const mend = 'Wait longer with --timeout 60s; what the points hold stays in force meanwhile.';
  return new EdgewardError('EDW_ERR_TIMEOUT', message, { mend, cause });
}

function notOurs(place: ServicePlace, why: string): EdgewardError {
  const message = `asking ${place.called} at ${addressOf(place)}: ${why}`;
  return new EdgewardError('EDW_ERR_SERVICE_ANSWER', message, { mend: place.mends.other });
}
