/** Lines as NGINX writes them, for whoever tests what reads them. */
import type { DenyRecord } from '../src/index.ts';

export const t0 = Date.parse('2026-11-22T10:00:00.000Z');

export const denyRecord = (overrides: Partial<DenyRecord> = {}): DenyRecord => ({
  v: 1,
  t: t0,
  ref: 'ref-0',
  object: 'order-front',
  source: '10.9.9.9',
  peer: '10.9.9.9',
  peerPort: 53122,
  port: 'tcp/443',
  method: 'GET',
  path: '/v1/orders/7',
  truncated: false,
  host: 'shop.example',
  verdict: 'deny',
  reason: 'unknown-source',
  rule: null,
  revision: 12,
  ...overrides,
});

export const denyLine = (overrides: Partial<DenyRecord> = {}): string => `${JSON.stringify(denyRecord(overrides))}\n`;

/** Lines whose references are `ref-FROM` … `ref-(TO-1)`, a millisecond apart. */
export const denyLines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => denyLine({ ref: `ref-${from + i}`, t: t0 + from + i })).join('');

export const refs = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `ref-${from + i}`);
