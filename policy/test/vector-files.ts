/** The vectors as they lie in `vectors/`; whoever proves a judge equal to the design reads them here. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Flow, Verdict } from '@edgeward/policy';

export interface Vector {
  name: string;
  policy: unknown[];
  now: string;
  connection: Flow;
  expect: Omit<Verdict, 'revision'>;
  /** What a server may refuse by itself, before it asks us. */
  refusedByServer?: true;
}

const folder = new URL('../vectors/', import.meta.url);

export const vectorFiles: string[] = readdirSync(folder).filter((name) => name.endsWith('.json'));

export const vectorsOf = (file: string): Vector[] =>
  JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Vector[];
