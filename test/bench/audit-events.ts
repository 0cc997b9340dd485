/** Denials as points tell them, for benchmarks of the collector: many sources, a few objects, equal for equal numbers. */
import { type DenyRecord, denialText } from '@edgeward/deny-log';
import { denyMessage, denyRecord } from '../../audit-collector/test/kit.ts';

const SOURCES = 4_096;
const OBJECTS = 24;
const REASONS = ['unknown-source', 'port-not-allowed', 'request-not-allowed'] as const;

/** The `n`th, from 1. Its reference is the number. */
export function recordOf(n: number, timeMs: number): DenyRecord {
  // A few sources ask most, as in any flood; 2,654,435,761 spreads neighbours.
  const draw = Math.imul(n, 2_654_435_761) >>> 0;
  const source = draw % 4 === 0 ? draw % 16 : draw % SOURCES;
  return denyRecord({
    t: timeMs,
    ref: String(n),
    object: `front-${draw % OBJECTS}`,
    source: `10.30.${source >> 8}.${source & 255}`,
    peer: `10.30.${source >> 8}.${source & 255}`,
    peerPort: 1_024 + (draw % 60_000),
    path: `/v1/orders/${draw % 1_000}`,
    reason: REASONS[draw % REASONS.length] ?? 'unknown-source',
  });
}

/** Numbers from `first` on, as a BIG-IP sends them. */
export function hslChunk(first: number, count: number): Buffer {
  const lines = Array.from({ length: count }, (_, i) => {
    const record = recordOf(first + i, Date.now());
    return `${denyMessage({ seq: first + i }, record)}\n`;
  });
  return Buffer.from(lines.join(''));
}

/** As a forwarder sends them. */
export function wireRecords(first: number, count: number): { seq: number; record: string }[] {
  return Array.from({ length: count }, (_, i) => ({
    seq: first + i,
    record: denialText(recordOf(first + i, Date.now())),
  }));
}

/** As NGINX writes them. */
export function logChunk(first: number, count: number): string {
  return Array.from({ length: count }, (_, i) => `${JSON.stringify(recordOf(first + i, Date.now()))}\n`).join('');
}
