/** The text of a batch as it came over the wire: packed or not, and never more of it in memory than a batch may have. */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { type EdgewardError, type HttpRequest, messageOf } from '@edgeward/runtime';

const unpack = promisify(gunzip);

/** Throws what `unreadable` makes. */
export async function batchText(
  request: Pick<HttpRequest, 'headers' | 'bytes' | 'text'>,
  maxBytes: number,
  unreadable: (why: string) => EdgewardError,
): Promise<string> {
  const coding = request.headers['content-encoding'] ?? 'identity';
  if (coding === 'identity') return request.text;
  if (coding !== 'gzip') throw unreadable(`content-encoding ${JSON.stringify(coding)} is not gzip`);
  const whole = await unpack(request.bytes, { maxOutputLength: maxBytes }).catch((cause: unknown) => {
    throw unreadable(messageOf(cause));
  });
  return whole.toString('utf8');
}
