/** The way back of an HTTP exchange: the server's head past the rules, then its content. */
import { write } from './byte-reader.ts';
import type { Upstream } from './flow.ts';
import { type Body, bodyOf, collect, sendBody } from './http-body.ts';
import { answerClient, dropUpstream, type Exchange } from './http-flow.ts';
import {
  type Framing,
  isKeptAlive,
  parseResponse,
  type ResponseHead,
  readHeadText,
  responseFraming,
  responseText,
  withLength,
} from './http-message.ts';
import type { Outcome } from './outcome.ts';

/** `close`: the connection ends when all is sent. `over`: it ended already. */
export type Ending = 'keep' | 'close' | 'tunnel' | 'over';

const MAX_RESPONSE_HEAD_BYTES = 65_536;
const MAX_COLLECTED_BYTES = 16 * 1024 * 1024;
const MAX_ROUNDS = 64;

export async function forwardResponse(exchange: Exchange, upstream: Upstream): Promise<Ending> {
  const { flow, head } = exchange;
  const response = await finalHead(exchange, upstream);
  const framing = response === null ? null : responseFraming(response, head.method);
  if (response === null || framing === null) {
    flow.reset();
    return 'over';
  }
  const body = bodyOf(upstream.reader, framing);
  const { outcome, shown, content } = await askRules(exchange, response, framing, body);
  if (flow.over) return 'over';
  if (outcome.answer !== null) {
    dropUpstream(flow);
    return (await answerClient(exchange, outcome)) ? 'keep' : 'close';
  }
  if (grantsTunnel(exchange, response)) {
    await write(flow.client, responseText(shown));
    return 'tunnel';
  }
  return sendResponse(exchange, shown, content, body);
}

/** The head that is no interim one; those are passed on as they come. */
async function finalHead({ flow }: Exchange, upstream: Upstream): Promise<ResponseHead | null> {
  for (;;) {
    const reading = await readHeadText(upstream.reader, MAX_RESPONSE_HEAD_BYTES);
    const response = reading.state === 'read' ? parseResponse(reading.text) : null;
    if (response === null || response.status === 101 || response.status >= 200) return response;
    await write(flow.client, responseText(response));
  }
}

const grantsTunnel = ({ head }: Exchange, { status }: ResponseHead): boolean =>
  status === 101 || (head.method === 'CONNECT' && status >= 200 && status < 300);

interface Shown {
  outcome: Outcome;
  shown: ResponseHead;
  content: Framing;
}

async function askRules(exchange: Exchange, response: ResponseHead, framing: Framing, body: Body): Promise<Shown> {
  const { flow } = exchange;
  let shown = response;
  let outcome = await flow.fire('HTTP_RESPONSE', responseFacts(response));
  const change = (): void => {
    if (outcome.response !== null) shown = { ...shown, ...outcome.response };
    if (outcome.httpClose) exchange.keep = false;
  };
  change();
  for (let round = 0; round < MAX_ROUNDS && outcome.httpCollect !== null && !flow.over; round++) {
    const held = await collect(body, outcome.httpCollect, MAX_COLLECTED_BYTES);
    outcome = await flow.fire('HTTP_RESPONSE_DATA', { http_payload: held.toString('latin1') });
    const payload = outcome.httpPayload === null ? held : Buffer.from(outcome.httpPayload, 'latin1');
    body.unread(payload);
    change();
    shown = { ...shown, headers: withLength(shown.headers, framing, payload.length - held.length) };
  }
  if (!flow.over && outcome.answer === null && flow.handles('HTTP_RESPONSE_RELEASE')) {
    outcome = await flow.fire('HTTP_RESPONSE_RELEASE');
    change();
  }
  return { outcome, shown, content: framing };
}

function responseFacts({ status, version, headers }: ResponseHead): Record<string, string | number | string[]> {
  return { status, response_version: version, response_headers: headers, responded: 0, http_payload: '' };
}

async function sendResponse(exchange: Exchange, shown: ResponseHead, framing: Framing, body: Body): Promise<Ending> {
  const { flow, head } = exchange;
  // A client of HTTP/1.0 knows no chunks.
  const plain = head.version === '1.0' && framing.kind === 'chunked';
  const headers = plain ? without(shown.headers, 'transfer-encoding') : shown.headers;
  const sent: Framing = plain ? { kind: 'until-close' } : framing;
  await write(flow.client, responseText({ ...shown, headers }));
  if (!(await sendBody(body, flow.client, sent))) {
    flow.reset();
    return 'over';
  }
  const keep = sent.kind !== 'until-close' && isKeptAlive({ version: head.version, headers }) && isKeptAlive(shown);
  return keep ? 'keep' : 'close';
}

function without(headers: readonly string[], name: string): string[] {
  return headers.filter((_text, index) => headers[index - (index % 2)]?.toLowerCase() !== name);
}
