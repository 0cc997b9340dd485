/**
 * What an HTTP server of ours serves: a method, a path pattern, the token it asks for, and a function from request to
 * answer. Matching and checking are pure; the server does the talking.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { EdgewardError } from './errors.ts';

export interface HttpRoute<R extends HttpRequest = HttpRequest> {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** `/v1/points/:name`: a segment with a colon matches one segment and names it in `params`. */
  path: string;
  /** The bearer token that this route asks for; without one it is open to everyone on the machine. */
  token?: string;
  /** Of the body; the server's own limit without it. */
  maxBodyBytes?: number;
  handle(request: R): HttpAnswer | Promise<HttpAnswer>;
}

export interface HttpRequest {
  method: string;
  /** Without the query. */
  path: string;
  params: Record<string, string>;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  /** The whole body, within the limit. */
  bytes: Buffer;
  /** The same as text. */
  text: string;
  /** The body as JSON. Throws EDW_ERR_HTTP_BODY. */
  json(): unknown;
  /** Aborted when the client is gone or the server closes. */
  signal: AbortSignal;
}

export type HttpAnswer = AnswerHead &
  (
    | { json: unknown }
    | { text: string; contentType?: string }
    /** `etag` without quotes; with it, a client that has these bytes gets 304. */
    | { bytes: Uint8Array; contentType: string; etag?: string }
    /** One JSON document a line, sent as they come. */
    | { ndjson: Iterable<unknown> | AsyncIterable<unknown> }
    /** Pieces of a text, sent as they come, to a program that knows what they are: they say no type. */
    | { pieces: AsyncGenerator<string> }
    /** Server-sent events, and a comment now and then, so that silence is not taken for an end. */
    | { events: AsyncIterable<ServerEvent> }
    /** 204, 303, 304. */
    | { empty: true }
  );

interface AnswerHead {
  status?: number;
  /** In lower case. Without a `cache-control` here nothing is cached. */
  headers?: Record<string, string>;
  /**
   * Only the headers that the answer can't be read without: for what is answered by the thousand, to programs of ours, and
   * that no cache keeps by itself, such as the answer to a POST (RFC 9110, section 9.3.3).
   */
  bare?: boolean;
}

export interface ServerEvent {
  event: string;
  /** As JSON on one line. */
  data: unknown;
}

/** A failure that the client may see. */
export interface HttpFailure {
  status: number;
  error: EdgewardError;
  headers?: Record<string, string>;
}

const hostMend = 'Use http://127.0.0.1 or http://localhost with this port.';

/** The route and its parameters, or why there is none. */
export function matchRoute<T extends { method: string; path: string }>(
  routes: readonly T[],
  method: string,
  path: string,
): { route: T; params: Record<string, string> } | HttpFailure {
  const given = path.split('/');
  const matches = routes.flatMap((route) => {
    const params = matchPath(segmentsOf(route), given);
    return params === null ? [] : [{ route, params }];
  });
  const match = matches.find(({ route }) => route.method === method);
  if (match !== undefined) return match;
  if (matches.length === 0) {
    return failure(404, 'EDW_ERR_HTTP_NOT_FOUND', `nothing is served at ${path}`, 'Check the path.');
  }
  const allow = matches.map(({ route }) => route.method).join(', ');
  const refused = failure(405, 'EDW_ERR_HTTP_METHOD', `${method} ${path} is not served`, `Use ${allow}.`);
  return { ...refused, headers: { allow } };
}

/** A table of forty is gone through for every request. */
const patterns = new WeakMap<object, readonly string[]>();

function segmentsOf(route: { path: string }): readonly string[] {
  const known = patterns.get(route) ?? route.path.split('/');
  patterns.set(route, known);
  return known;
}

function matchPath(expected: readonly string[], given: readonly string[]): Record<string, string> | null {
  if (expected.length !== given.length) return null;
  // What is named in the table differs more often than not, and is compared before anything is decoded.
  if (expected.some((segment, index) => !segment.startsWith(':') && segment !== given[index])) return null;
  const params: Record<string, string> = {};
  for (const [index, segment] of expected.entries()) {
    const value = given[index] ?? '';
    if (!segment.startsWith(':')) continue;
    const decoded = decodeSegment(value);
    if (decoded === null || decoded === '') return null;
    params[segment.slice(1)] = decoded;
  }
  return params;
}

function decodeSegment(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}

/** Null when the route is open or the token is right. Both sides are hashed, so the time tells nothing. */
export function checkToken(route: { token?: string }, authorization: string | undefined): HttpFailure | null {
  if (route.token === undefined) return null;
  const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  if (given !== undefined && timingSafeEqual(digest(given), digest(route.token))) return null;
  const message = given === undefined ? 'this path asks for a bearer token' : 'the bearer token is not the right one';
  const mend = 'Send the content of the token file named in the configuration.';
  return { ...failure(401, 'EDW_ERR_HTTP_TOKEN', message, mend), headers: { 'www-authenticate': 'Bearer' } };
}

/**
 * A page in a browser can have its own name resolve to 127.0.0.1 and so reach us as its own origin (DNS rebinding); its
 * requests then carry that name. Only loopback's own names are served.
 */
export function checkHost(host: string | undefined): HttpFailure | null {
  const name = (host ?? '').replace(/:\d+$/, '').toLowerCase();
  if (isLoopback(name)) return null;
  return failure(421, 'EDW_ERR_HTTP_HOST', 'the Host header names no loopback address', hostMend);
}

/** `localhost`, 127.0.0.0/8 and ::1, with or without brackets. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Throws EDW_ERR_HTTP_BODY. */
export function parseJsonBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new EdgewardError('EDW_ERR_HTTP_BODY', 'the body of the request is no JSON', {
      mend: 'Send one JSON document.',
      cause,
    });
  }
}

export function failure(status: number, code: string, message: string, mend: string): HttpFailure {
  return { status, error: new EdgewardError(code, message, { mend }) };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
