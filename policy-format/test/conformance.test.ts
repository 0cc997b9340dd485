/** The conformance vectors are those that their sources write, this implementation answers them, and the run notices who does not. */
import { join } from 'node:path';
import t from 'tap';
import { runVectors } from '../conformance/runner.ts';
import { readVectorFiles, type VectorFile } from '../conformance/vector-files.ts';
import { MENDS } from '../src/mends.ts';
import { allVectors } from './vectors/all-vectors.ts';

const folder = join(import.meta.dirname, '..', 'conformance');
const files = readVectorFiles(join(folder, 'vectors'));
const subject = (source: string): string[] => [process.execPath, '-e', source];

t.test('the vectors are those that their sources write', async (t) => {
  const written = await allVectors();
  t.strictSame([...files.keys()], [...written.keys()].sort());
  for (const [name, file] of written)
    t.strictSame(
      files.get(name),
      JSON.parse(JSON.stringify(file)),
      `${name}: write them anew, see conformance/README.md`,
    );
});

t.test('this implementation answers every vector, to the code', async (t) => {
  const command = [process.execPath, '--conditions=edgeward-source', join(folder, 'subject.ts')];
  const results = await runVectors({ command, files, codes: true });
  t.ok(results.length > 250);
  for (const { file, name, problem } of results) t.equal(problem, null, `${file}: ${name}`);
});

t.test('no two vectors of a file have one name, and each refusal there is has a vector', async (t) => {
  const seen = new Set<string>();
  for (const [name, { vectors }] of files) {
    t.equal(new Set(vectors.map((it) => it.name)).size, vectors.length, name);
    for (const { expect } of vectors.flatMap(({ steps }) => steps)) if ('code' in expect) seen.add(expect.code);
  }
  const without = Object.keys(MENDS).filter((code) => !seen.has(code));
  // A key is for who signs, a question and a report for the store; what is wrong inside of a trust root has tests of its own.
  const ofStores = ['EDW_ERR_FORMAT_QUESTION', 'EDW_ERR_FORMAT_REPORT'];
  const elsewhere = [...ofStores, 'EDW_ERR_KEY', 'EDW_ERR_ROOT_KEY_WEAK', 'EDW_ERR_ROOT_PEOPLE'];
  t.strictSame(without, elsewhere);
});

t.test('a subject that believes everything fails wherever something is to be refused', async (t) => {
  const gullible = `require('readline').createInterface({ input: process.stdin })
    .on('line', (line) => console.log(JSON.stringify({ id: JSON.parse(line).id, accept: {} })))`;
  const results = await runVectors({ command: subject(gullible), files });
  const wrong = new Set(results.filter(({ problem }) => problem !== null).map(({ file, name }) => `${file} ${name}`));
  for (const [file, { vectors }] of files)
    for (const { name, steps } of vectors)
      if (steps.some(({ expect }) => 'stage' in expect)) t.ok(wrong.has(`${file} ${name}`), `${file}: ${name}`);
});

const few = (): Map<string, VectorFile> => {
  const [name, file] = [...files].find(([it]) => it === 'canonical-json') as [string, VectorFile];
  return new Map([[name, { ...file, vectors: file.vectors.slice(0, 2) }]]);
};

t.test('a subject that ends, is silent or says something else is told apart, and nothing of it is left', async (t) => {
  for (const [name, source, problem] of [
    ['ends', 'process.exit(7)', /the subject (has )?ended/],
    ['is silent', 'process.stdin.resume()', /no answer within/],
    ['is not there', null, /ENOENT/],
    ['answers another question', "process.stdin.once('data', () => console.log('{\"id\":99}'))", /has the id 99/],
    ['says no JSON', "process.stdin.once('data', () => console.log('hello'))", /JSON/],
  ] as const) {
    const command = source === null ? ['/nowhere/at/all'] : subject(source);
    // A machine with much to do takes its time to start a process that does answer.
    const timeoutMs = name === 'is silent' ? 400 : 20_000;
    const results = await runVectors({ command, files: few(), timeoutMs });
    t.equal(results.length, 2);
    for (const result of results) t.match(result.problem, problem, name);
  }
});

t.test('the stage has to be right always, the code only where it is asked for', async (t) => {
  const refusing = `require('readline').createInterface({ input: process.stdin })
    .on('line', (line) => console.log(JSON.stringify({ id: JSON.parse(line).id, stage: 'format', code: 'OTHER' })))`;
  const refusals = new Map([...files].filter(([name]) => name === 'canonical-json'));
  const count = async (codes: boolean) => {
    const results = await runVectors({ command: subject(refusing), files: refusals, codes });
    return results.filter(({ problem }) => problem === null).length;
  };
  t.equal(await count(false), 11);
  t.equal(await count(true), 0);
});
