import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Checkpoint, generateSigningKey, type SigningKey } from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
import t from 'tap';
import { startable } from '../../test/kit/program.ts';
import { type AttemptRecord, type NewEntry, openRecord, rehearse, verifyRecord, withRecord } from '../src/index.ts';
import { folderOf, logger, type Owner, type StillClock, stillClock } from './decisions/world.ts';

const STORE = '0'.repeat(32);
const actor = { name: 'ada', by: 'certificate' };
const writer = startable(join(import.meta.dirname, 'decisions/record-writer.ts'));

function entry(target: string): NewEntry {
  return { actor: 'ada', by: 'certificate', action: 'proposal.propose', target, outcome: 'allowed' };
}

interface Opened {
  dir: string;
  key: SigningKey;
  clock: StillClock;
  open(): Promise<AttemptRecord>;
}

async function place(t: Owner): Promise<Opened> {
  const dir = join(folderOf(t), 'record');
  const key = await generateSigningKey();
  const clock = stillClock();
  const open = async (): Promise<AttemptRecord> => {
    const record = await openRecord({
      dir,
      store: STORE,
      logKey: key,
      root: () => 1,
      clock,
      logger,
      segmentBytes: 2_000,
    });
    t.teardown(() => record.close());
    return record;
  };
  return { dir, key, clock, open };
}

async function fill(it: Opened, count: number): Promise<Checkpoint> {
  const record = await it.open();
  for (let i = 0; i < count; i += 1) await record.append(entry(`x/${i}`));
  await record.close();
  return record.checkpoint();
}

function segmentsOf(dir: string): string[] {
  return readdirSync(dir)
    .filter((name) => name.endsWith('.ndjson'))
    .sort()
    .map((name) => join(dir, name));
}

t.test('entries are numbered, chained over segments, and read back by this process and the next', async (t) => {
  const it = await place(t);
  const record = await it.open();
  const written = await Promise.all(Array.from({ length: 30 }, (_, i) => record.append(entry(`x/${i}`))));
  t.strictSame(
    written.map(({ seq }) => seq),
    Array.from({ length: 30 }, (_, i) => i + 1),
  );
  await record.append(entry('x/31'));
  await record.close();
  const again = await it.open();
  t.strictSame(await again.read({ after: 0, limit: 30 }), written);
  t.strictSame(
    (await again.read({ after: 29, limit: 10 })).map(({ target }) => target),
    ['x/29', 'x/31'],
  );
  await again.append(entry('x/32'));
  t.ok(segmentsOf(it.dir).length > 1, 'a new segment was begun');
  t.strictSame(await verifyRecord(it.dir, [it.key.publicKey], [again.checkpoint()]), {
    checkpoint: again.checkpoint(),
    signed: { size: 31, hash: record.checkpoint().hash },
    signedRoot: 1,
    tornBytes: 0,
    problems: [],
  });
});

t.test('a checkpoint is signed at once, every minute, every thousand entries, and at the end', async (t) => {
  const it = await place(t);
  const record = await it.open();
  const signed = async (): Promise<number | undefined> =>
    (await verifyRecord(it.dir, [it.key.publicKey], [])).signed?.size;
  t.equal(record.signedCheckpoint(), null);
  await record.append(entry('x/1'));
  await record.read({ after: 0, limit: 1 });
  await record.append(entry('x/2'));
  t.equal(await signed(), 1);
  it.clock.advance(60_000);
  for (let i = 0; i < 6_000 && (await signed()) !== 2; i += 1) await new Promise((done) => setTimeout(done, 5));
  t.equal(await signed(), 2);
  await Promise.all(Array.from({ length: 1_000 }, () => record.append(entry('y'))));
  await record.append(entry('z'));
  t.ok(((await signed()) ?? 0) >= 1_002);
  await record.close();
  t.equal(await signed(), 1_003);
});

t.test('whatever is done to a record afterwards shows, with its place', async (t) => {
  const original = await place(t);
  const whole = await fill(original, 40);
  const middle = segmentsOf(original.dir)[1] ?? '';
  const linesOf = (path: string): string[] => readFileSync(path, 'utf8').split('\n');
  const first = Number(/(\d+)\.ndjson/.exec(middle)?.[1]);
  const witness: Checkpoint = whole;
  const edit = (change: (lines: string[]) => string[]) => (dir: string) => {
    const path = segmentsOf(dir)[1] ?? '';
    writeFileSync(path, change(linesOf(path)).join('\n'));
  };
  const table: { name: string; damage: (dir: string) => void; seq: number; kind: string; witnesses?: Checkpoint[] }[] =
    [
      {
        name: 'an entry rewritten',
        damage: edit(([a = '', b = '', ...rest]) => [a, b.replace('"ada"', '"eve"'), ...rest]),
        seq: first + 2,
        kind: 'chain',
      },
      {
        name: 'an entry rewritten in another spelling',
        damage: edit(([a = '', b = '', ...rest]) => [a, b.replace('{"', '{ "'), ...rest]),
        seq: first + 1,
        kind: 'unreadable',
      },
      {
        name: 'two entries exchanged',
        damage: edit(([a = '', b = '', c = '', ...rest]) => [a, c, b, ...rest]),
        seq: first + 1,
        kind: 'order',
      },
      { name: 'an entry left out', damage: edit(([a = '', , ...rest]) => [a, ...rest]), seq: first + 1, kind: 'order' },
      {
        name: 'a segment taken away',
        damage: (dir) => rmSync(segmentsOf(dir)[1] ?? ''),
        seq: first,
        kind: 'missing-segment',
      },
      {
        name: 'the first segment taken away',
        damage: (dir) => rmSync(segmentsOf(dir)[0] ?? ''),
        seq: 1,
        kind: 'missing-segment',
      },
      {
        name: 'the end taken away',
        damage: (dir) => rmSync(segmentsOf(dir).at(-1) ?? ''),
        seq: Number(/(\d+)\.ndjson/.exec(segmentsOf(original.dir).at(-1) ?? '')?.[1]),
        kind: 'truncated',
      },
      {
        name: 'all of it taken away',
        damage: (dir) => segmentsOf(dir).forEach((it) => void rmSync(it)),
        seq: 1,
        kind: 'truncated',
      },
      {
        name: 'the checkpoint taken away',
        damage: (dir) => rmSync(join(dir, 'checkpoint.json')),
        seq: 0,
        kind: 'signature',
      },
      {
        name: 'a checkpoint that another key signed',
        damage: (dir) => {
          const path = join(dir, 'checkpoint.json');
          const document = JSON.parse(readFileSync(path, 'utf8'));
          const payload = JSON.parse(Buffer.from(document.payload, 'base64url').toString());
          document.payload = Buffer.from(JSON.stringify({ ...payload, size: 39 })).toString('base64url');
          writeFileSync(path, JSON.stringify(document));
        },
        seq: 0,
        kind: 'signature',
      },
      {
        name: 'a witness who saw more',
        damage: () => {},
        witnesses: [{ size: 41, hash: whole.hash }],
        seq: 41,
        kind: 'truncated',
      },
      {
        name: 'a witness who saw something else',
        damage: () => {},
        witnesses: [{ size: 40, hash: '1'.repeat(64) }],
        seq: 40,
        kind: 'contradicts-witness',
      },
    ];
  for (const { name, damage, seq, kind, witnesses = [] } of table) {
    const dir = join(folderOf(t), 'record');
    cpSync(original.dir, dir, { recursive: true });
    damage(dir);
    const { problems } = await verifyRecord(dir, [original.key.publicKey], [witness, ...witnesses]);
    t.match(problems[0], { seq, kind }, name);
  }
  t.strictSame((await verifyRecord(original.dir, [original.key.publicKey], [witness])).problems, [], 'untouched');
});

t.test('a whole history written anew is contradicted by whoever saw the old one', async (t) => {
  const it = await place(t);
  const seen = await fill(it, 10);
  rmSync(it.dir, { recursive: true });
  const forged = await fill(it, 9);
  t.not(forged.hash, seen.hash);
  const { problems } = await verifyRecord(it.dir, [it.key.publicKey], [seen, { size: 5, hash: '2'.repeat(64) }]);
  t.match(problems, [
    { seq: 5, kind: 'contradicts-witness' },
    { seq: 10, kind: 'truncated' },
  ]);
});

t.test('what a crash cut off is put aside, told in an entry, and the chain goes on', async (t) => {
  const table = [
    { name: 'half an entry', torn: '{"action":"proposal.pro' },
    { name: 'what a disk makes of it', torn: '\0'.repeat(300) },
    { name: 'half a character', torn: Buffer.from([0xc3]) },
  ];
  for (const { name, torn } of table) {
    const it = await place(t);
    await fill(it, 5);
    appendFileSync(segmentsOf(it.dir).at(-1) ?? '', torn);
    const record = await it.open();
    t.match((await record.read({ after: 5, limit: 10 }))[0], { seq: 6, action: 'record.repair', actor: 'store' }, name);
    const aside = readdirSync(it.dir).find((file) => file.startsWith('torn-')) ?? '';
    t.strictSame(readFileSync(join(it.dir, aside)), Buffer.from(torn), name);
    t.strictSame((await verifyRecord(it.dir, [it.key.publicKey], [record.checkpoint()])).problems, [], name);
  }
});

t.test('nothing is written after damage', async (t) => {
  const table: { name: string; damage: (dir: string) => void }[] = [
    { name: 'cut below the signed checkpoint', damage: (dir) => truncateSync(segmentsOf(dir).at(-1) ?? '', 0) },
    { name: 'no segment left', damage: (dir) => segmentsOf(dir).forEach((path) => void rmSync(path)) },
    {
      name: 'an entry in the middle that can not be read',
      damage: (dir) => {
        const path = segmentsOf(dir)[0] ?? '';
        writeFileSync(path, readFileSync(path, 'utf8').replace('{', '['));
      },
    },
    { name: 'a checkpoint that can not be read', damage: (dir) => writeFileSync(join(dir, 'checkpoint.json'), '{') },
  ];
  for (const { name, damage } of table) {
    const it = await place(t);
    await fill(it, 5);
    damage(it.dir);
    const before = segmentsOf(it.dir).map((path) => readFileSync(path, 'utf8'));
    await t.rejects(it.open(), { code: 'EDW_ERR_STORE_RECORD' }, name);
    t.strictSame(
      segmentsOf(it.dir).map((path) => readFileSync(path, 'utf8')),
      before,
      `${name}: untouched`,
    );
  }
});

t.test('an attempt is on the record before its effect, and so is every refusal and failure', async (t) => {
  const it = await place(t);
  const record = await it.open();
  const refusal = new EdgewardError('EDW_ERR_STORE_ROLE', 'not you', { mend: '' });
  const sizes: number[] = [];
  const attempt = { actor, action: 'proposal.publish', target: 'proposal/1' };
  const throwing = () => {
    throw refusal;
  };
  const done = await withRecord(record, attempt, {
    check: () => 7,
    about: (n) => ({ revision: n }),
    effect: async (n) => {
      sizes.push(record.checkpoint().size);
      return n + 1;
    },
  });
  t.strictSame([done, sizes], [8, [1]]);
  await t.rejects(withRecord(record, attempt, { check: throwing, effect: async () => t.fail('no effect') }), refusal);
  await t.rejects(withRecord(record, attempt, { check: () => 1, effect: async () => throwing() }), refusal);
  t.equal(await rehearse(record, attempt, { check: () => 5 }), 5);
  await t.rejects(rehearse(record, attempt, { check: throwing }), refusal);
  t.match(await record.read({ after: 0, limit: 10 }), [
    { outcome: 'allowed', revision: 7, actor: 'ada', by: 'certificate' },
    { outcome: 'refused', code: 'EDW_ERR_STORE_ROLE', reason: 'not you' },
    { outcome: 'allowed' },
    { outcome: 'failed', code: 'EDW_ERR_STORE_ROLE' },
    { outcome: 'dry-run' },
    { outcome: 'dry-run', code: 'EDW_ERR_STORE_ROLE' },
  ]);
});

t.test('whatever somebody writes, an entry stays one line of bounded length', async (t) => {
  const it = await place(t);
  const record = await it.open();
  const reason = `${'"\\\n\u0000\u2028\ud800'.repeat(5_000)}`;
  await record.append({ ...entry('x'.repeat(100_000)), reason, actor: '\n{"seq":1}' });
  await record.close();
  t.strictSame((await verifyRecord(it.dir, [it.key.publicKey], [])).problems, []);
  t.equal((await it.open()).checkpoint().size, 1);
});

/** Runs the writer until `enough` lines came, or it ended. */
async function runWriter(
  t: Owner,
  it: Opened,
  options: { together: number; killAfter?: number; sizeLimit?: number; rounds?: number },
): Promise<string[]> {
  const node = [
    process.execPath,
    '--conditions=edgeward-source',
    writer,
    it.dir,
    JSON.stringify(it.key.jwk),
    String(options.together),
    String(options.rounds ?? 2_000),
  ];
  // bash counts file sizes in blocks of 1024 bytes.
  const limited = ['bash', '-c', `ulimit -f ${options.sizeLimit ?? 'unlimited'}; exec "$0" "$@"`, ...node];
  const [command = '', ...args] = limited;
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  let errors = '';
  child.stderr.on('data', (data) => {
    errors += data;
  });
  child.stdout.on('data', (data) => {
    output += data;
    if (output.split('\n').length > (options.killAfter ?? Number.POSITIVE_INFINITY)) child.kill('SIGKILL');
  });
  const ended = once(child, 'close');
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  await ended;
  clearTimeout(timer);
  if (errors !== '') throw new Error(errors);
  return output.split('\n').slice(0, -1);
}

t.test('a writer killed at any moment loses no entry that it acknowledged', async (t) => {
  const runs = Number(process.env.EDGEWARD_RUNS ?? 6);
  const it = await place(t);
  let acknowledged = 0;
  for (let run = 0; run < runs; run += 1) {
    const lines = await runWriter(t, it, {
      together: 1 + (run % 3) * 4,
      killAfter: 1 + Math.floor(Math.random() * 60),
    });
    acknowledged = Math.max(acknowledged, ...lines.map(Number));
    const verified = await verifyRecord(it.dir, [it.key.publicKey], []);
    t.strictSame(verified.problems, [], `run ${run}: the chain holds`);
    t.ok(verified.checkpoint.size >= acknowledged, `run ${run}: ${acknowledged} of ${verified.checkpoint.size}`);
  }
  const record = await it.open();
  t.ok(await record.append(entry('afterwards')));
});

t.test(
  'a disk that takes no more is told, leaves no half entry, and costs nothing that was acknowledged',
  async (t) => {
    const it = await place(t);
    // The writer begins a segment at 4,000 bytes, and no file may grow beyond 2 KiB.
    const lines = await runWriter(t, it, { together: 3, rounds: 60, sizeLimit: 2 });
    const good = lines.filter((line) => /^\d+$/.test(line)).map(Number);
    t.ok(good.length > 0, 'some were written');
    t.ok(lines.includes('EDW_ERR_STORE_RECORD'), 'then none was');
    const verified = await verifyRecord(it.dir, [it.key.publicKey], []);
    t.strictSame(verified.problems, []);
    t.equal(verified.tornBytes, 0);
    t.equal(verified.checkpoint.size, Math.max(...good));
  },
);

t.test('without a record nothing is done', async (t) => {
  const it = await place(t);
  const record = await it.open();
  await record.append(entry('x'));
  await record.close();
  let done = false;
  const attempt = withRecord(
    record,
    { actor, action: 'x', target: 'x' },
    {
      check: () => 1,
      effect: async () => {
        done = true;
      },
    },
  );
  await t.rejects(attempt, { code: 'EDW_ERR_STORE_RECORD' });
  t.equal(done, false);
});
