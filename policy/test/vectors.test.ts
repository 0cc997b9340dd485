import { readdirSync, readFileSync } from 'node:fs';
import type { Flow } from '@edgeward/policy';
import t from 'tap';
import { compileDocuments } from './compiled.ts';

interface Vector {
  name: string;
  policy: unknown[];
  now: string;
  connection: Flow;
  expect: { verdict: string; reason: string; rule: string | null };
}

const folder = new URL('../vectors/', import.meta.url);

for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
  t.test(`vectors in ${file} are judged as they say`, async (t) => {
    const vectors = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Vector[];
    for (const vector of vectors) {
      const compiled = compileDocuments(vector.policy, vector.now);
      const errors = compiled.findings.filter((finding) => finding.severity === 'error');
      t.strictSame(errors, [], `${vector.name}: its policy is without error`);
      const { verdict, reason, rule } = compiled.decide(vector.connection);
      t.strictSame({ verdict, reason, rule }, vector.expect, vector.name);
    }
  });
}
