/** Calls of the stream module's push endpoint as anybody could make them, past the driver: to tamper, and to be refused. */
import { type Edge, rawConnection } from '@edgeward/test/kit';

export interface Framed {
  /** `GET state`. */
  call: string;
  token?: string;
  bootId?: string;
  writer?: string;
  body?: string;
}

export interface FramedAnswer {
  /** 0: closed without an answer. */
  status: number;
  body: unknown;
}

export function bytesOf({ call, bootId = '', writer = '', body = '' }: Framed, token: string): string {
  const lines = [call, token, bootId, writer, body].join('\n');
  return `EDW1 ${Buffer.byteLength(lines).toString(16).padStart(8, '0')}\n${lines}`;
}

export async function frame(edge: Edge, of: Framed): Promise<FramedAnswer> {
  return answerIn(await rawConnection({ port: pushPortOf(edge), bytes: bytesOf(of, of.token ?? edge.token) }));
}

/** Writes one entry into the zone of the stream module behind every driver's back. */
export async function tamperWithFrame(edge: Edge, key: string, value: string): Promise<FramedAnswer> {
  const { bootId, writer } = (await frame(edge, { call: 'GET state' })).body as { bootId: string; writer: string };
  return frame(edge, { call: 'POST set', bootId, writer, body: `${key}\t${value}` });
}

export function pushPortOf(edge: Edge): number {
  return Number(new URL(edge.streamPushUrl ?? 'tcp://127.0.0.1:0').port);
}

export function answerIn(text: string): FramedAnswer {
  const head = /^EDW1 (\d{3}) ([0-9a-f]{8})\n/.exec(text);
  if (head === null) return { status: 0, body: text };
  const body = text.slice(head[0].length);
  if (body.length !== Number.parseInt(head[2] ?? '', 16))
    throw new Error(`an answer of another length: ${text.slice(0, 80)}`);
  return { status: Number(head[1]), body: JSON.parse(body) };
}
