/**
 * HTTP/1.0 and 1.1 on a virtual server with an HTTP profile: every request fires HTTP_REQUEST, one after the other,
 * also those behind an Upgrade that the server did not grant. Bytes pass unread only after the server said 101, after it
 * granted a CONNECT, or when a rule disabled HTTP.
 */
import { write } from './byte-reader.ts';
import type { Flow } from './flow.ts';
import { type Body, bodyOf, collect, sendBody } from './http-body.ts';
import {
  answerText,
  type Framing,
  headerValues,
  isKeptAlive,
  MAX_HEAD_BYTES,
  MAX_HEADERS,
  parseRequest,
  readHeadText,
  requestFraming,
  requestText,
  withLength,
} from './http-message.ts';
import { forwardResponse } from './http-response.ts';
import type { HttpHead, Outcome } from './outcome.ts';
import { tunnel } from './stream-relay.ts';
import { upstreamOf } from './upstream.ts';

export interface Exchange {
  flow: Flow;
  head: HttpHead;
  framing: Framing;
  body: Body;
  /** Whether the client may send another request. */
  keep: boolean;
}

const MAX_COLLECTED_BYTES = 16 * 1024 * 1024;
const MAX_UNREAD_BYTES = 1024 * 1024;
const MAX_ROUNDS = 64;

export async function serveHttp(flow: Flow): Promise<void> {
  for (let number = 1; !flow.over; number++) {
    const exchange = await nextRequest(flow);
    if (exchange === null) return;
    if (!(await serveRequest(exchange, number))) return flow.close();
  }
}

async function nextRequest(flow: Flow): Promise<Exchange | null> {
  // A server that closes between requests ends the client's connection too: they belong together.
  const closed = (): void => flow.close();
  const idle = flow.upstream?.socket.once('end', closed);
  const reading = await readHeadText(flow.reader, MAX_HEAD_BYTES);
  idle?.off('end', closed);
  if (reading.state === 'end') {
    flow.close();
    return null;
  }
  const head = reading.state === 'read' ? parseRequest(reading.text) : null;
  const framing = head === null ? null : requestFraming(head);
  if (reading.state === 'too-large')
    complain(flow, '011f0005', `HTTP header (${reading.bytes})`, `size of ${MAX_HEAD_BYTES}`);
  if (head !== null && head.headers.length > 2 * MAX_HEADERS) {
    complain(flow, '011f0011', 'HTTP header count', `count of ${MAX_HEADERS}`);
    flow.reset();
    return null;
  }
  if (head === null || framing === null) {
    flow.reset();
    return null;
  }
  return { flow, head, framing, body: bodyOf(flow.reader, framing), keep: isKeptAlive(head) };
}

function complain({ surroundings, virtual, from }: Flow, code: string, what: string, limit: string): void {
  surroundings.log(
    'warning',
    `${code}:4: ${what} exceeded maximum allowed ${limit} (Client side: vip=${virtual.fullPath} profile=http pool=${virtual.pool ?? ''} client_ip=${from.address})`,
  );
}

/** False when the connection ends with this exchange. */
async function serveRequest(exchange: Exchange, number: number): Promise<boolean> {
  const { flow } = exchange;
  const outcome = await askRules(exchange, number);
  if (flow.over) return true;
  if (outcome.answer !== null) return answerClient(exchange, outcome);
  const { reselect, httpDisable } = outcome;
  if (reselect || (outcome.target !== null && flow.upstream !== null)) dropUpstream(flow);
  const upstream = await upstreamOf(flow);
  if (upstream === null) return true;
  if (!(await readyToSend(flow))) return true;
  await write(upstream.socket, requestText(exchange.head));
  if (httpDisable) {
    await tunnel(flow);
    return true;
  }
  const upload = sendBody(exchange.body, upstream.socket, exchange.framing);
  // A client that breaks off gets no answer; the server may wait for the rest for ever.
  void upload.then(() => exchange.body.state === 'broken' && flow.reset());
  const ending = await forwardResponse(exchange, upstream);
  if (ending === 'tunnel') {
    await tunnel(flow);
    return true;
  }
  return ending === 'keep' && exchange.keep && (await upload);
}

/** HTTP_REQUEST, and HTTP_REQUEST_DATA while rules collect content. */
async function askRules(exchange: Exchange, number: number): Promise<Outcome> {
  const { flow } = exchange;
  let outcome = await flow.fire('HTTP_REQUEST', requestFacts(exchange, number));
  let disabled = outcome.httpDisable;
  for (let round = 0; round < MAX_ROUNDS && outcome.httpCollect !== null && !flow.over; round++) {
    if (outcome.answer !== null) break;
    if (outcome.request !== null) exchange.head = outcome.request;
    const held = await collect(exchange.body, outcome.httpCollect, MAX_COLLECTED_BYTES);
    outcome = await flow.fire('HTTP_REQUEST_DATA', { http_payload: held.toString('latin1') });
    const payload = outcome.httpPayload === null ? held : Buffer.from(outcome.httpPayload, 'latin1');
    exchange.body.unread(payload);
    disabled ||= outcome.httpDisable;
    if (outcome.request !== null) exchange.head = outcome.request;
    const headers = withLength(exchange.head.headers, exchange.framing, payload.length - held.length);
    exchange.head = { ...exchange.head, headers };
  }
  if (outcome.request !== null) exchange.head = outcome.request;
  if (outcome.httpClose) exchange.keep = false;
  return { ...outcome, httpDisable: disabled };
}

function requestFacts({ head, keep }: Exchange, number: number): Record<string, string | number | string[]> {
  return {
    method: head.method,
    uri: head.uri,
    version_http: head.version,
    headers: head.headers,
    keepalive: keep ? 1 : 0,
    request_num: number,
    responded: 0,
    status: '',
    http_payload: '',
  };
}

async function readyToSend(flow: Flow): Promise<boolean> {
  for (const event of ['HTTP_REQUEST_SEND', 'HTTP_REQUEST_RELEASE']) {
    if (flow.handles(event)) await flow.fire(event);
    if (flow.over) return false;
  }
  return true;
}

/** HTTP::respond: the request's content is read away, unless that is too much to wait for. */
export async function answerClient(exchange: Exchange, { answer }: Outcome): Promise<boolean> {
  const { flow, head, body } = exchange;
  if (answer === null) return false;
  const said = headerValues(answer.headers, 'connection').some((value) => value.toLowerCase() === 'close');
  const keep = exchange.keep && !said && headerValues(head.headers, 'expect').length === 0;
  await write(flow.client, answerText(answer, keep, head.method === 'HEAD'));
  if (answer.reset) {
    flow.reset();
    return true;
  }
  if (!keep) return false;
  await collect(body, -1, MAX_UNREAD_BYTES);
  return (await body.read()) === null && body.state === 'whole';
}

export function dropUpstream(flow: Flow): void {
  flow.upstream?.socket.destroy();
  flow.upstream = null;
}
