/**
 * Asks the sync service on this machine through its status API. Every way to get no answer has its own code: nobody
 * there, somebody else there, no answer in time. What the service itself refuses keeps the service's code and mend.
 */
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { EdgewardError, messageOf, readSecret, systemCodeOf } from '@edgeward/runtime';
import { loadServiceConfig, type ServiceConfig } from '@edgeward/sync-service';
import type { ZodType } from 'zod';
import { configOption } from '../config-option.ts';
import { readBounded } from '../frame/bounded-body.ts';
import type { Context, Option } from '../frame/command.ts';
import { durationOption } from '../frame/option-values.ts';
import type { Answered } from '../frame/status-watch.ts';
import { usageError } from '../frame/usage-error.ts';

interface Asking<T> {
  method?: 'GET' | 'POST';
  path: string;
  query?: Record<string, string | number | undefined>;
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

export const serviceExits = {
  4: 'the sync service gave no answer within --timeout',
  69: 'the sync service is not there',
  78: 'the configuration, or the token file that it names, is invalid',
} as const;

/** Where the service listens and what it wants to be shown, from its own configuration. */
type ServicePlace = ServiceConfig['api'];

const defaultTimeoutMs = 10_000;
const maxAnswerBytes = 64 << 20;

export async function openService(context: Context, command: string): Promise<ServiceClient> {
  const timeoutMs = durationOption(context, 'timeout', command) ?? defaultTimeoutMs;
  if (timeoutMs === 0) throw usageError('--timeout: no answer comes in no time', command);
  const { api: place } = await loadServiceConfig({ file: context.text('config'), env: context.env });
  const token = await readToken(place);
  return {
    async ask(asking) {
      const raw = await exchange(place, token, timeoutMs, asking);
      return { raw, value: understand(place, asking, raw) };
    },
  };
}

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
    value === undefined ? [] : [[key, `${value}`] as [string, string]],
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
  const message = `asking the sync service at ${addressOf(place)}: ${why}`;
  const mend = 'Start it with `edgeward serve --config FILE`, or name the file that it was started with by --config.';
  return new EdgewardError('EDW_ERR_SERVICE_UNREACHABLE', message, { mend, cause });
}

function timedOut(place: ServicePlace, timeoutMs: number, cause: unknown): EdgewardError {
  const message = `asking the sync service at ${addressOf(place)}: no answer within ${timeoutMs} ms`;
  const mend = 'Wait longer with --timeout 60s; what the points hold stays in force meanwhile.';
  return new EdgewardError('EDW_ERR_TIMEOUT', message, { mend, cause });
}

function notOurs(place: ServicePlace, why: string): EdgewardError {
  const message = `asking the sync service at ${addressOf(place)}: ${why}`;
  const mend =
    'Check `api.listen` in the configuration, and that this `edgeward` and the service have the same version.';
  return new EdgewardError('EDW_ERR_SERVICE_ANSWER', message, { mend });
}
