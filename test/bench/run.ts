/**
 * Measures: `npm run bench` all of them, `npm run bench -- label-edit scale` some, `-- --write` into docs/benchmarks.md.
 * `--only live,lua --cidrs 10000,100000` measures a part of a benchmark that has such parts, which no page is written from.
 * One after the other, because they share the machine. Exit 0 when all were measured or skipped, 1 when one failed,
 * 2 for a name that is none.
 */
import { parseArgs } from 'node:util';
import { audit } from './audit.ts';
import { type Benchmark, type Part, type Result, runBenchmark } from './benchmark.ts';
import { bigipChanges } from './bigip-changes.ts';
import { bigipCost } from './bigip-cost.ts';
import { bigipFlows } from './bigip-flows.ts';
import { bigipLookups } from './bigip-lookups.ts';
import { bigipMemory } from './bigip-memory.ts';
import { compile } from './compile.ts';
import { explainFlows } from './explain-flows.ts';
import { fleet } from './fleet.ts';
import { hostBenchmarks } from './host.ts';
import { labelEdit } from './label-edit.ts';
import { circumstances, watchPressure } from './machine.ts';
import { nginxBenchmarks } from './nginx.ts';
import { resultText, writeResult } from './report.ts';
import { scale } from './scale.ts';

const benchmarks: Benchmark[] = [
  labelEdit,
  scale,
  explainFlows,
  compile,
  fleet,
  bigipChanges,
  bigipMemory,
  bigipFlows,
  bigipLookups,
  bigipCost,
  ...nginxBenchmarks,
  ...hostBenchmarks,
  audit,
];

const progress = (line: string): void => void process.stderr.write(`${line}\n`);

async function measure(benchmark: Benchmark, part: Part, write: boolean): Promise<boolean> {
  process.stdout.write(`\n${benchmark.name}: ${benchmark.measures}\n\n`);
  try {
    const on = await circumstances(`npm run bench -- ${benchmark.name}`);
    const say = (line: string): void => progress(`  ${line}`);
    const pressure = await watchPressure();
    const result = withPressure(await runBenchmark(benchmark, say, part), await pressure());
    process.stdout.write(resultText(result));
    if (write) await writeResult(benchmark, result, on);
    return true;
  } catch (error) {
    progress(`${benchmark.name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return false;
  }
}

function withPressure(result: Result, percent: number | null): Result {
  if (result.state === 'skipped' || percent === null) return result;
  const note = `CPU pressure: something waited for a core ${Math.round(percent)} % of the time, this benchmark's own parts included.`;
  return { ...result, notes: [...result.notes, note] };
}

const options = { write: { type: 'boolean' }, only: { type: 'string' }, cidrs: { type: 'string' } } as const;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options });
  const unknown = positionals.filter((name) => !benchmarks.some((it) => it.name === name));
  if (unknown.length > 0) {
    progress(`no benchmark ${unknown.join(', ')}; there are: ${benchmarks.map((it) => it.name).join(', ')}`);
    return 2;
  }
  const part: Part = { only: listOf(values.only), cidrs: listOf(values.cidrs)?.map(Number) ?? null };
  if (values.write === true && (part.only !== null || part.cidrs !== null)) {
    progress('a page shows the whole of a benchmark: --write goes with neither --only nor --cidrs');
    return 2;
  }
  const chosen = benchmarks.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  let failed = 0;
  for (const benchmark of chosen) if (!(await measure(benchmark, part, values.write === true))) failed += 1;
  return failed === 0 ? 0 : 1;
}

function listOf(text: string | undefined): string[] | null {
  return text === undefined ? null : text.split(',');
}

process.exitCode = await main();
