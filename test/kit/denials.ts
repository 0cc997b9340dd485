/** The deny log as NGINX wrote it. Every line must be whole JSON: one that is not throws, and so fails its test. */
import { readFile } from 'node:fs/promises';

export interface Denial {
  v: number;
  t: number;
  ref: string;
  object: string;
  source: string | null;
  peer: string | null;
  /** null in one that stands for several. */
  peerPort: number | null;
  port: string;
  method: string | null;
  path: string | null;
  truncated: boolean;
  host: string | null;
  verdict: 'deny' | 'would-deny';
  reason: string;
  rule: string | null;
  revision: number;
  /** Of one that stands for several that were folded. */
  count?: number;
  firstMs?: number;
}

/** Oldest first; empty where nothing was denied yet. */
export async function denialsIn(file: string): Promise<Denial[]> {
  const bytes = await readFile(file).catch(() => Buffer.alloc(0));
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  const lines = text.split('\n');
  if (lines.pop() !== '') throw new Error(`${file} ends in half a line`);
  return lines.map((line) => JSON.parse(line) as Denial);
}
