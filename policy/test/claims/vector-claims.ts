/** One claim for each file of vectors. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import type { Flow } from '@edgeward/policy';
import { compileDocuments } from '../compiled.ts';
import type { Claim } from './claim.ts';

interface Vector {
  name: string;
  policy: unknown[];
  now: string;
  connection: Flow;
  expect: { verdict: string; reason: string; rule: string | null };
}

const folder = new URL('../../vectors/', import.meta.url);

export const vectorClaims = (): Claim[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((file) => ({
      name: `vectors in ${file}`,
      check: () => {
        for (const vector of JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Vector[]) {
          const { verdict, reason, rule } = compileDocuments(vector.policy, vector.now).decide(vector.connection);
          assert.deepEqual({ verdict, reason, rule }, vector.expect, vector.name);
        }
      },
    }));
