/** Records of a spool for tests: three denials of one kind in a window, unless told. */
import type { HostDenial, HostGap } from '../src/index.ts';
import { t0 } from './kit.ts';

export const epochs = ['0'.repeat(32), '1'.repeat(32)] as const;
const at = (seq: number, offsetMs: number): string => new Date(t0 + (seq % 1e6) * 10_000 + offsetMs).toISOString();

export const hostDenial = (seq: number, overrides: Partial<HostDenial> = {}): HostDenial => ({
  seq,
  kind: 'denial',
  windowStart: at(seq, 0),
  windowEnd: at(seq, 9_000),
  count: 3,
  object: 'db-1',
  source: '10.30.1.4',
  sourcePort: null,
  port: 'tcp/5432',
  verdict: 'deny',
  reason: 'unknown-source',
  rule: null,
  revision: 12,
  nearestRule: null,
  missed: null,
  ...overrides,
});

export const hostGap = (seq: number, overrides: Partial<HostGap> = {}): HostGap => ({
  seq,
  kind: 'gap',
  windowStart: at(seq, 0),
  windowEnd: at(seq, 10_000),
  cause: 'not-sampled',
  count: 100,
  ...overrides,
});

export const hostDenials = (from: number, to: number): HostDenial[] =>
  Array.from({ length: to - from }, (_, i) => hostDenial(from + i, { sourcePort: from + i }));
