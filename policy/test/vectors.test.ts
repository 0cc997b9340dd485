import t from 'tap';
import { compileDocuments } from './compiled.ts';
import { vectorFiles, vectorsOf } from './vector-files.ts';

for (const file of vectorFiles) {
  t.test(`vectors in ${file} are judged as they say`, async (t) => {
    for (const vector of vectorsOf(file)) {
      const compiled = compileDocuments(vector.policy, vector.now);
      const errors = compiled.findings.filter((finding) => finding.severity === 'error');
      t.strictSame(errors, [], `${vector.name}: its policy is without error`);
      const { verdict, reason, rule } = compiled.decide(vector.connection);
      t.strictSame({ verdict, reason, rule }, vector.expect, vector.name);
    }
  });
}
