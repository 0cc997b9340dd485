/** HTTP/1.x heads: read strictly, as bytes, and written again. What is malformed is said to be so, never repaired. */
import { STATUS_CODES } from 'node:http';
import type { ByteReader } from './byte-reader.ts';
import type { Answer, HttpHead } from './outcome.ts';

/** Defaults of an HTTP profile. */
export const MAX_HEAD_BYTES = 32_768;
export const MAX_HEADERS = 64;

export type Framing =
  | { kind: 'none' }
  | { kind: 'length'; bytes: number }
  | { kind: 'chunked' }
  | { kind: 'until-close' };

export interface ResponseHead {
  version: string;
  status: number;
  reason: string;
  headers: string[];
}

export type HeadReading =
  | { state: 'read'; text: string }
  | { state: 'end' }
  | { state: 'too-large'; bytes: number }
  | { state: 'cut-off' };

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: a header may not hold them
const NOT_IN_VALUES = /[\x00-\x08\x0a-\x1f\x7f]/;

/** Everything up to the empty line; empty lines before it are skipped. */
export async function readHeadText(reader: ByteReader, maxBytes: number): Promise<HeadReading> {
  let data: Buffer = Buffer.alloc(0);
  for (;;) {
    const chunk = await reader.read();
    if (chunk === null) return data.length === 0 ? { state: 'end' } : { state: 'cut-off' };
    data = withoutLeadingLines(data.length === 0 ? chunk : Buffer.concat([data, chunk]));
    const end = endOfHead(data);
    if (end !== -1 && end <= maxBytes) {
      reader.unread(data.subarray(end));
      return { state: 'read', text: data.toString('latin1', 0, end) };
    }
    if (data.length > maxBytes) return { state: 'too-large', bytes: end === -1 ? data.length : end };
  }
}

function withoutLeadingLines(data: Buffer): Buffer {
  let at = 0;
  while (data[at] === 13 || data[at] === 10) at++;
  return data.subarray(at);
}

function endOfHead(data: Buffer): number {
  for (let at = data.indexOf(10); at !== -1; at = data.indexOf(10, at + 1)) {
    if (data[at + 1] === 10) return at + 2;
    if (data[at + 1] === 13 && data[at + 2] === 10) return at + 3;
  }
  return -1;
}

/** Null when it is malformed. */
export function parseRequest(text: string): HttpHead | null {
  const [line = '', ...rest] = text.split(/\r?\n/);
  const [method = '', uri = '', protocol = '', ...more] = line.split(' ');
  const version = /^HTTP\/(1\.[01])$/.exec(protocol)?.[1];
  const headers = parseHeaders(rest);
  if (version === undefined || more.length > 0 || uri === '' || !TOKEN.test(method) || headers === null) return null;
  return NOT_IN_VALUES.test(uri) ? null : { method, uri, version, headers };
}

export function parseResponse(text: string): ResponseHead | null {
  const [line = '', ...rest] = text.split(/\r?\n/);
  const found = /^HTTP\/(1\.[01]) (\d{3})(?: (.*))?$/.exec(line);
  const headers = parseHeaders(rest);
  if (found === null || headers === null) return null;
  return { version: found[1] ?? '1.1', status: Number(found[2]), reason: found[3] ?? '', headers };
}

function parseHeaders(lines: readonly string[]): string[] | null {
  const headers: string[] = [];
  for (const line of lines) {
    if (line === '') continue;
    const folded = /^[ \t]+(.*)$/.exec(line);
    if (folded !== null && headers.length > 0) {
      headers.push(`${headers.pop()} ${folded[1]?.trimEnd()}`);
      continue;
    }
    const colon = line.indexOf(':');
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '');
    if (colon === -1 || !TOKEN.test(line.slice(0, colon)) || NOT_IN_VALUES.test(value)) return null;
    headers.push(line.slice(0, colon), value);
  }
  return headers;
}

export function headerValues(headers: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at < headers.length; at += 2)
    if (headers[at]?.toLowerCase() === name) values.push(headers[at + 1] ?? '');
  return values;
}

const tokensOf = (headers: readonly string[], name: string): string[] =>
  headerValues(headers, name).flatMap((value) => value.split(',').map((token) => token.trim().toLowerCase()));

export function isKeptAlive({ version, headers }: { version: string; headers: readonly string[] }): boolean {
  const connection = tokensOf(headers, 'connection');
  if (connection.includes('close')) return false;
  return version === '1.1' || connection.includes('keep-alive');
}

/** Null when lengths contradict each other: nobody may guess where the next request begins. */
export function requestFraming({ version, headers }: HttpHead): Framing | null {
  const framing = declaredFraming(version, headers);
  return framing?.kind === 'until-close' ? { kind: 'none' } : framing;
}

export function responseFraming({ version, status, headers }: ResponseHead, method: string): Framing | null {
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return { kind: 'none' };
  return declaredFraming(version, headers);
}

function declaredFraming(version: string, headers: readonly string[]): Framing | null {
  const codings = tokensOf(headers, 'transfer-encoding');
  const lengths = new Set(headerValues(headers, 'content-length'));
  if (codings.length > 0) {
    return codings.length === 1 && codings[0] === 'chunked' && lengths.size === 0 && version === '1.1'
      ? { kind: 'chunked' }
      : null;
  }
  if (lengths.size === 0) return { kind: 'until-close' };
  const [length = ''] = lengths;
  return lengths.size === 1 && /^\d{1,15}$/.test(length) ? { kind: 'length', bytes: Number(length) } : null;
}

export const requestText = ({ method, uri, version, headers }: HttpHead): string =>
  `${method} ${uri} HTTP/${version}\r\n${headerLines(headers)}\r\n`;

export const responseText = ({ version, status, reason, headers }: ResponseHead): string =>
  `HTTP/${version} ${status} ${reason}\r\n${headerLines(headers)}\r\n`;

function headerLines(headers: readonly string[]): string {
  let lines = '';
  for (let at = 0; at < headers.length; at += 2) lines += `${headers[at]}: ${headers[at + 1]}\r\n`;
  return lines;
}

/** What HTTP::respond sends, with the headers that TMM adds. */
export function answerText(
  { status, version, server, content, headers }: Answer,
  keep: boolean,
  bodyless: boolean,
): string {
  const all = [...headers];
  const has = (name: string): boolean => headerValues(headers, name).length > 0;
  if (server && !has('server')) all.push('Server', 'BigIP');
  if (!has('connection')) all.push('Connection', keep ? 'Keep-Alive' : 'Close');
  if (!has('content-length')) all.push('Content-Length', String(content.length));
  return (
    responseText({ version, status, reason: STATUS_CODES[status] ?? '', headers: all }) + (bodyless ? '' : content)
  );
}

/** The headers of a message whose collected content has another length now. */
export function withLength(headers: readonly string[], framing: Framing, difference: number): string[] {
  if (framing.kind !== 'length' || difference === 0) return [...headers];
  return headers.map((text, index) =>
    index % 2 === 1 && headers[index - 1]?.toLowerCase() === 'content-length'
      ? String(framing.bytes + difference)
      : text,
  );
}
