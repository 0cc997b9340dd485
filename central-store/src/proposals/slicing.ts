/**
 * The slices of a version that people approved, one after the other, so that whoever asks keeps no more of each than it needs.
 * Those of a large version are made in a process of their own: here it would be seconds without an answer to any point.
 */
import { setImmediate } from 'node:timers/promises';
import type { PointRules } from '@edgeward/policy';
import { digestOf } from '@edgeward/policy-format';
import { type Slice, slicesOf } from '../bundle/approval-payload.ts';
import { parseBundle } from '../bundle/bundle.ts';
import { inProcess } from './policy-process.ts';

/** About 2,500 points with nine rules each, and some two seconds. Below, starting a process would be most of the way. */
const IN_PLACE_BYTES = 8 * 1024 * 1024;
const NEWLINE = Buffer.from('\n');
/** Slices between two turns of others. */
const AT_ONCE = 256;

/** `documents`: canonical, as people approved them. Throws EDW_ERR_BUNDLE, EDW_ERR_FORMAT_…. */
export async function* slicesIn(documents: Uint8Array, inPlaceBytes: number = IN_PLACE_BYTES): AsyncGenerator<Slice> {
  if (documents.length <= inPlaceBytes) yield* slicesOf(parseBundle(documents));
  else yield* slicesFrom(await inProcess('slicing a version', { do: 'slice', documents }));
}

/** Rules documents in the order of their points, one a line: their canonical form has no end of line in it. */
export const slicedLines = (documents: Uint8Array): Uint8Array => linesOf(slicesOf(parseBundle(documents)));

export function linesOf(slices: readonly Slice[]): Uint8Array {
  return Buffer.concat(slices.flatMap(({ bytes }) => [bytes, NEWLINE]));
}

/** Whether they are those that people signed is for whoever knows the root of their tree. */
export async function* slicesFrom(lines: Uint8Array | null): AsyncGenerator<Slice> {
  if (lines === null) return;
  const all = Buffer.from(lines.buffer, lines.byteOffset, lines.byteLength);
  let count = 0;
  for (let from = 0; from < all.length; ) {
    const end = all.indexOf(NEWLINE, from);
    const bytes = all.subarray(from, end);
    // Whether they are what people signed is looked at as a whole, by the root of their tree.
    const rules = JSON.parse(bytes.toString()) as PointRules;
    yield { point: rules.point, rules, bytes, digest: digestOf(bytes) };
    from = end + 1;
    count += 1;
    if (count % AT_ONCE === 0) await setImmediate();
  }
}
