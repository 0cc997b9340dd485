/** What is read out of a request: bounded, and in one form only. Throws EDW_ERR_STORE_REQUEST. */
import { type Cursor, isDigest, isTooDeep } from '@edgeward/policy-format';
import type { HttpRequest } from '@edgeward/runtime';
import type * as z from 'zod';
import { doorError } from './refusals.ts';

/** The longest that a request may wait. */
const MAX_WAIT_S = 60;
export const MAX_WAIT_MS: number = MAX_WAIT_S * 1000;

/** `Prefer: wait=30` (RFC 7240), in milliseconds; 0 for anything that does not read so. */
export function waitMsOf({ headers }: HttpRequest): number {
  const given = headers.prefer;
  const text = Array.isArray(given) ? given.join(',') : (given ?? '');
  const seconds = text.split(/[,;]/).map((it) => /^\s*wait=(\d{1,4})\s*$/.exec(it)?.[1]);
  return Math.min(MAX_WAIT_S, Number(seconds.find((it) => it !== undefined) ?? 0)) * 1000;
}

/** `EPOCH.REVISION.STATEROOT` */
export function cursorOf({ query }: HttpRequest): Cursor {
  const given = query.getAll('from');
  // As far as a number goes: whoever was driven there by a stolen key asks for the way back.
  const [, epoch, revision, stateRoot] = /^(\d{1,16})\.(\d{1,16})\.([0-9a-f]{64})$/.exec(given[0] ?? '') ?? [];
  const cursor = { epoch: Number(epoch), revision: Number(revision) };
  if (given.length !== 1 || !isDigest(stateRoot) || !Object.values(cursor).every(Number.isSafeInteger))
    throw badField('from', 'EPOCH.REVISION.STATEROOT');
  return { ...cursor, stateRoot };
}

export function numberOf({ query }: HttpRequest, name: string, otherwise: number, most: number): number {
  const given = query.getAll(name);
  if (given.length === 0) return otherwise;
  if (given.length > 1 || !/^\d{1,15}$/.test(given[0] ?? '')) throw badField(name, 'a whole number, once');
  return Math.min(most, Number(given[0]));
}

/** `0` and `01` are no versions. */
export function versionOf({ params }: HttpRequest, name: string): number {
  const given = params[name] ?? '';
  if (!/^[1-9]\d{0,8}$/.test(given)) throw badField(name, 'a version: 1, 2, 3 …');
  return Number(given);
}

/**
 * The body as the schema has it. Depth is counted before anything is parsed; a key that stands twice or that JavaScript
 * would take for something else is refused by the schemas, which are strict, or by whoever reads what is signed.
 */
export function bodyOf<T>(request: HttpRequest, schema: z.ZodType<T>): T {
  const read = schema.safeParse(jsonOf(request));
  if (read.success) return read.data;
  const places = read.error.issues.slice(0, 5).map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`);
  throw doorError('EDW_ERR_STORE_REQUEST', `the body: ${places.join('; ').slice(0, 500)}`);
}

/** Throws EDW_ERR_HTTP_BODY as well. */
export function jsonOf(request: HttpRequest): unknown {
  if (isTooDeep(request.bytes)) throw doorError('EDW_ERR_STORE_REQUEST', 'the body is nested too deeply');
  return request.json();
}

function badField(name: string, accepted: string): Error {
  return doorError('EDW_ERR_STORE_REQUEST', `'${name}' must be ${accepted}`);
}
