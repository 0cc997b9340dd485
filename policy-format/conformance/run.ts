/**
 * `node policy-format/conformance/run.ts [--codes] [--vectors DIR] -- COMMAND…` prints a table, and ends with 0, or with 3
 * if a vector was answered wrongly. The protocol stands in `README.md` beside this.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runVectors } from './runner.ts';
import { readVectorFiles } from './vector-files.ts';

const USAGE = 'node policy-format/conformance/run.ts [--codes] [--vectors DIR] -- COMMAND…\n';

const { values, positionals } = parseArgs({
  options: { codes: { type: 'boolean' }, vectors: { type: 'string' }, help: { type: 'boolean' } },
  allowPositionals: true,
});

if (values.help || positionals.length === 0) {
  process.stderr.write(USAGE);
  process.exitCode = values.help ? 0 : 2;
} else {
  const files = readVectorFiles(values.vectors ?? join(import.meta.dirname, 'vectors'));
  const results = await runVectors({ command: positionals, files, codes: values.codes ?? false });
  for (const name of files.keys()) {
    const own = results.filter(({ file }) => file === name);
    const good = own.filter(({ problem }) => problem === null);
    process.stdout.write(`${name.padEnd(16)} ${good.length} of ${own.length}\n`);
    for (const { name: claim, problem } of own)
      if (problem !== null) process.stdout.write(`  WRONG  ${claim}\n         ${problem}\n`);
  }
  const wrong = results.filter(({ problem }) => problem !== null).length;
  process.stdout.write(
    wrong === 0 ? `all ${results.length} as they should be\n` : `${wrong} of ${results.length} wrong\n`,
  );
  process.exitCode = wrong === 0 ? 0 : 3;
}
