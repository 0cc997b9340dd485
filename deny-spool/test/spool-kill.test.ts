/** A spool whose process is killed at any moment, again and again, with room and without. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { startable } from '../../test/kit/program.ts';
import { openSpool, told } from './kit.ts';

t.jobs = 2;
const ROUNDS = 12 * Number(process.env.EDGEWARD_RUNS ?? 1);
const SEED = Number(process.env.EDGEWARD_SEED ?? 1618);
const CHILD = startable(join(import.meta.dirname, 'fixtures', 'writing-child.ts'));

/** Numerical Recipes' generator: a failure can be had again by its seed. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What children said, and what must be so. */
interface Heard {
  tried: number;
  /** Records of entries that were told as shed. */
  shed: number;
  /** Entries that were told as written, with how many records. */
  written: Map<string, number>;
  contents: Map<number, string>;
  acknowledged: number;
  epochs: Set<string>;
  torn: string[];
}

for (const [name, maxBytes] of [
  ['with room', 64 * 1024 * 1024],
  ['where room is short', 10_000],
] as const) {
  t.test(`killed at any moment, ${name}: nothing written is lost, no number has two contents`, async (t) => {
    t.setTimeout(400_000 + ROUNDS * 5_000);
    t.comment(`EDGEWARD_SEED=${SEED}, ${ROUNDS} kills`);
    const random = numbers(SEED);
    const folder = join(t.testdir({ spool: {} }), 'spool');
    const heard: Heard = {
      tried: 0,
      shed: 0,
      written: new Map(),
      contents: new Map(),
      acknowledged: 0,
      epochs: new Set(),
      torn: [],
    };
    for (let round = 0; round < ROUNDS; round += 1) await runChild(t, heard, folder, round, maxBytes, random);
    const spool = await openSpool(t, { folder });
    await spool.append({ records: [], count: 0, fromMs: 0, toMs: 0 });
    for (const { seq, record } of await spool.read({ records: 1e6, bytes: 1e9 })) hearContent(heard, seq, record);
    t.strictSame(heard.torn, [], 'no number with another content');
    t.strictSame(
      [...heard.epochs, spool.epoch].filter((epoch) => epoch !== spool.epoch),
      [],
      'one epoch',
    );
    const records = [...heard.contents.values()];
    checkWritten(t, heard, records);
    checkTotals(t, heard, records);
  });
}

async function runChild(
  t: Test,
  heard: Heard,
  folder: string,
  round: number,
  maxBytes: number,
  random: () => number,
): Promise<void> {
  const seed = 1 + Math.floor(random() * 1e9);
  const args = ['--conditions=edgeward-source', CHILD, folder, String(round + 1), String(maxBytes), String(seed)];
  // Half of what a process takes to start is the same each time.
  const env = { NODE_COMPILE_CACHE: join(folder, '..', 'compiled'), ...process.env };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const closed = once(child, 'close');
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const begun = new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
  await Promise.race([begun, closed]);
  await sleep(random() * 120);
  child.kill('SIGKILL');
  await closed;
  // The last line may be half of one.
  for (const line of said.split('\n').slice(0, -1)) hear(heard, line);
}

function hear(heard: Heard, line: string): void {
  const [word = '', first = '', ...rest] = line.split(' ');
  const number = Number(first);
  if (word === 'epoch') heard.epochs.add(first);
  if (word === 'tried') heard.tried += number;
  if (word === 'shed') heard.shed += number;
  if (word === 'written') heard.written.set(rest[0] ?? '', number);
  if (word === 'sent') hearContent(heard, number, rest.join(' '));
  if (word === 'acknowledged') heard.acknowledged = Math.max(heard.acknowledged, number);
}

function hearContent(heard: Heard, seq: number, record: string): void {
  const known = heard.contents.get(seq);
  if (known !== undefined && known !== record) heard.torn.push(`${seq}: ${known} and ${record}`);
  heard.contents.set(seq, record);
}

/** Each record of each entry that was told as written, or read before it was acknowledged, exactly once. */
function checkWritten(t: Test, heard: Heard, records: readonly string[]): void {
  const own = records.filter((record) => !record.startsWith('gap'));
  t.equal(new Set(own).size, own.length, 'none twice');
  const byEntry = new Map<string, number>();
  for (const record of own) {
    const note = record.split(' ')[0]?.replace(/\.\d+$/, '') ?? '';
    byEntry.set(note, (byEntry.get(note) ?? 0) + 1);
  }
  const lost = [...heard.written].filter(([note, count]) => (byEntry.get(note) ?? 0) !== count);
  t.strictSame(lost, [], `${heard.written.size} entries were told as written`);
}

/** What was told is somewhere, and nothing is told of that was not tried. */
function checkTotals(t: Test, heard: Heard, records: readonly string[]): void {
  const own = records.filter((record) => !record.startsWith('gap')).length;
  const found = own + told(records);
  const settled = [...heard.written.values()].reduce((total, count) => total + count, heard.shed);
  t.ok(found >= settled, `${found} kept or told of: ${settled} were told as written or shed, ${heard.shed} as shed`);
  t.ok(found <= heard.tried, `${found} of ${heard.tried} tried`);
  const numbers = [...heard.contents.keys()].sort((a, b) => a - b);
  t.equal(numbers.at(-1), numbers.length, 'and no number was left out');
}
