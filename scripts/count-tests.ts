import { readFileSync } from 'node:fs';

/**
 * Reads a TAP report: prints every failure with its diagnostics, the seeds of sampled proofs, and last `N passed, N
 * failed`. Whatever was skipped counts as failed: in CI every test must run.
 */
const lines = readFileSync(process.argv[2] ?? '/dev/stdin', 'utf8').split('\n');
let passed = 0;
let failed = 0;
for (const [index, line] of lines.entries()) {
  if (/^ *# (EDGEWARD_SEED|\d+ vectors)|^ *# Subtest: .*EDGEWARD_SEED/.test(line)) print(line.trim());
  const point = /^ *(not )?ok \d+(?: - )?(.*)$/.exec(line);
  if (point === null) continue;
  const skipped = /# (skip|todo)\b/i.test(point[2] ?? '');
  if (point[1] === undefined && !skipped) passed += 1;
  else {
    failed += 1;
    print(line);
    if (!skipped) for (const detail of diagnosticsAfter(index)) print(detail);
  }
}
print(`${passed} passed, ${failed} failed`);
process.exitCode = passed === 0 || failed > 0 ? 1 : 0;

/** The YAML block that follows a test point, if there is one. */
function diagnosticsAfter(index: number): string[] {
  if (!/^ *---$/.test(lines[index + 1] ?? '')) return [];
  const end = lines.findIndex((line, at) => at > index && /^ *\.\.\.$/.test(line));
  return lines.slice(index + 1, end + 1);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
