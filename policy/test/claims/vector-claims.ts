/** One claim for each file of vectors. */
import assert from 'node:assert/strict';
import { compileDocuments } from '../compiled.ts';
import { vectorFiles, vectorsOf } from '../vector-files.ts';
import type { Claim } from './claim.ts';

export const vectorClaims = (): Claim[] =>
  vectorFiles.map((file) => ({
    name: `vectors in ${file}`,
    check: () => {
      for (const vector of vectorsOf(file)) {
        const { verdict, reason, rule } = compileDocuments(vector.policy, vector.now).decide(vector.connection);
        assert.deepEqual({ verdict, reason, rule }, vector.expect, vector.name);
      }
    },
  }));
