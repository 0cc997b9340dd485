import { readFileSync } from 'node:fs';

/** Prints `N passed, N failed` from a TAP report, and fails when anything was skipped: in CI every test must run. */
const report = readFileSync(process.argv[2] ?? '/dev/stdin', 'utf8');
let passed = 0;
let failed = 0;
const skipped: string[] = [];
for (const line of report.split('\n')) {
  const point = /^\s*(not )?ok \d+(?: - )?(.*)$/.exec(line);
  if (point === null) continue;
  const [, bad, text = ''] = point;
  if (/# (skip|todo)\b/i.test(text)) skipped.push(text);
  else if (bad === undefined) passed += 1;
  else failed += 1;
}
for (const text of skipped) process.stdout.write(`skipped: ${text}\n`);
process.stdout.write(`${passed} passed, ${failed + skipped.length} failed\n`);
process.exitCode = passed === 0 || failed + skipped.length > 0 ? 1 : 0;
