/** How fast `edgeward explain --flows` judges: the command as users run it, on the small policy directory. */
import { spawn } from 'node:child_process';
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Benchmark } from './benchmark.ts';
import { ALWAYS_ALLOWED, ALWAYS_DENIED, writeSmallPolicies } from './small-policies.ts';
import { fixed, median } from './statistics.ts';

const lines = 100_000;
const repeats = 5;
const program = fileURLToPath(new URL('../../cli/bin/edgeward.js', import.meta.url));
const built = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url));
const timeoutMs = 60_000;

export const explainFlows: Benchmark = {
  name: 'explain-flows',
  measures: `edgeward explain --flows with ${lines.toLocaleString('en')} lines`,
  async run(bench) {
    const isBuilt = await access(built).then(
      () => true,
      () => false,
    );
    if (!isBuilt) return { state: 'skipped', reason: 'the command line is not built; run `npm run build`' };
    const folder = await mkdtemp(join(tmpdir(), 'edgeward-bench-'));
    bench.teardown(() => rm(folder, { recursive: true, force: true }));
    await writeSmallPolicies(join(folder, 'policies'));
    const [one, many] = [join(folder, 'one.ndjson'), join(folder, 'many.ndjson')];
    await writeFile(one, flow(0));
    await writeFile(many, Array.from({ length: lines }, (_, i) => flow(i)).join(''));
    const startsMs: number[] = [];
    const wholesMs: number[] = [];
    for (let n = 0; n < repeats; n += 1) {
      startsMs.push(await explain(join(folder, 'policies'), one, 1));
      wholesMs.push(await explain(join(folder, 'policies'), many, lines));
      bench.progress(`${n + 1} of ${repeats}`);
    }
    const [startMs, wholeMs] = [median(startsMs), median(wholesMs)];
    return {
      state: 'measured',
      tables: [
        {
          head: ['', 'median'],
          rows: [
            ['whole run, ms', fixed(wholeMs)],
            ['of that, a run with one line (start, read, compile), ms', fixed(startMs)],
            ['lines per second after the start', fixed((lines - 1) / ((wholeMs - startMs) / 1000))],
          ],
        },
      ],
      notes: [
        `${repeats} runs of each; 25 addresses, 3 objects; one line in five asks for a path that no rule allows.`,
      ],
    };
  },
};

function flow(i: number): string {
  const from = i % 25 === 0 ? ALWAYS_DENIED : i % 25 === 1 ? ALWAYS_ALLOWED : `10.30.0.${1 + (i % 25)}`;
  const to = ['order-front', 'wiki-front', 'crm-front'][i % 3];
  const path = i % 5 === 0 ? '/admin' : `/v1/orders/${i}`;
  return `${JSON.stringify({ from, to, port: 'tcp/443', method: 'GET', path, host: 'shop.example' })}\n`;
}

/** Milliseconds. Every line must come back. */
async function explain(policies: string, file: string, expected: number): Promise<number> {
  const from = performance.now();
  const running = spawn(process.execPath, [program, 'explain', policies, '--flows', file], { timeout: timeoutMs });
  let answers = 0;
  let said = '';
  running.stdout.on('data', (piece: Buffer) => {
    for (const byte of piece) if (byte === 0x0a) answers += 1;
  });
  running.stderr.on('data', (piece: Buffer) => {
    said += piece.toString();
  });
  const code = await new Promise((resolve) => running.once('close', resolve));
  if (code !== 0 || answers !== expected) throw new Error(`explain ended with ${code}, ${answers} answers: ${said}`);
  return performance.now() - from;
}
