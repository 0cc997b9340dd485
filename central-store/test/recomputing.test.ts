import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SourceDocument } from '@edgeward/policy';
import type { Approval, Digest, TrustRoot } from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
import t from 'tap';
import { type Slice, slicesOf } from '../src/bundle/approval-payload.ts';
import { type Bundle, computeApprovalPayload, type PayloadInputs } from '../src/index.ts';
import type { Asked } from '../src/proposals/basis.ts';
import { createRecomputing, type RecomputingLimits } from '../src/proposals/recomputing.ts';
import { slicedLines } from '../src/proposals/slicing.ts';
import { thrownFrom, thrownText } from '../src/proposals/thrown-text.ts';
import { bundle, CRM, documents, FRONT, openWorld, PLAIN, policy, START_MS } from './decisions/world.ts';

/** However small: everything has more bytes than none. */
const PROCESS: Partial<RecomputingLimits> = { inPlaceBytes: 0 };
const LONGER = bundle(FRONT, policy(CRM, { ...CRM, id: 'more', ports: ['tcp/8443'] }));
const DIGEST = 'a'.repeat(64) as Digest;
const ROOT: TrustRoot = {
  typ: 'edgeward-root/1',
  store: '0'.repeat(32),
  version: 1,
  previous: null,
  issuedAt: '2026-11-22T09:00:00.000Z',
  storeKeys: [],
  logKeys: [],
  people: [],
  thresholds: { normal: 1, elevated: 2, root: 2, breakGlassHours: 4 },
} as unknown as TrustRoot;

const inputs = (it: Bundle, more: Partial<PayloadInputs> = {}): PayloadInputs => ({
  ...{ bundle: it, previous: null, root: ROOT, proposedBy: 'ada', reason: 'CHG-4411', nowMs: START_MS },
  ...more,
});
const FIRST: Approval = computeApprovalPayload(inputs(PLAIN)).payload;
const BEFORE = { approval: FIRST, digest: DIGEST, approved: PLAIN };
const SECOND: Approval = computeApprovalPayload(inputs(LONGER, { previous: BEFORE })).payload;
const GLASS: Approval = computeApprovalPayload(
  inputs(LONGER, { previous: BEFORE, breakGlass: { endsAtMs: START_MS + 3_600_000 } }),
).payload;

function asked(payload: Approval, bytes: Uint8Array, more: Partial<Asked> = {}): Asked {
  return { payload, root: ROOT, documents: bytes, previous: null, inventory: null, ...more };
}

/** On top of the first version. */
function second(payload: Approval = SECOND, more: Partial<Asked> = {}): Asked {
  const approved = { digest: PLAIN.digest, bytes: PLAIN.bytes.length, read: async () => PLAIN.bytes };
  return asked(payload, LONGER.bytes, { previous: { approval: FIRST, digest: DIGEST, approved }, ...more });
}

/** What a person hears of it, and what hangs on it for machines. */
async function answer(limits: Partial<RecomputingLimits>, it: Asked): Promise<object> {
  try {
    await createRecomputing(limits).run(it);
    return { refused: false };
  } catch (thrown) {
    if (!(thrown instanceof EdgewardError)) throw thrown;
    const { name, code, message, mend, cause } = thrown;
    const { message: why, findings } = (cause ?? {}) as { message?: string; findings?: unknown };
    return { refused: true, name, code, message, mend, why, findings };
  }
}

const workload = (name: string, address: string): SourceDocument[] =>
  documents({ kind: 'Workload', name, labels: { app: 'crm', env: 'prod' }, addresses: [address] });

const TESTED = bundle(FRONT, {
  ...policy(CRM),
  tests: [{ name: 'crm orders', from: { workload: 'crm-1' }, to: 'order-front', port: 'tcp/443', expect: 'allow' }],
});
const BROKEN = bundle(FRONT, policy({ ...CRM, from: [{ network: 'nowhere' }] }));

t.test('in a process of its own a policy is judged as where it stands', async (t) => {
  const cut = PLAIN.bytes.subarray(0, -1);
  const table: { name: string; is: () => Asked; code?: string }[] = [
    { name: 'the first version', is: () => asked(FIRST, PLAIN.bytes) },
    { name: 'the second', is: () => second() },
    { name: 'break-glass', is: () => second(GLASS) },
    { name: 'with workloads', is: () => second(SECOND, { inventory: () => workload('crm-1', '10.30.0.7') }) },
    { name: 'no documents', is: () => asked(FIRST, cut), code: 'EDW_ERR_BUNDLE' },
    { name: 'other documents', is: () => asked(FIRST, LONGER.bytes), code: 'EDW_ERR_PROPOSAL_DIFFERS' },
    {
      name: 'a risk left out',
      is: () => second({ ...SECOND, risks: ['any-source'] }),
      code: 'EDW_ERR_PROPOSAL_DIFFERS',
    },
    {
      name: 'waiting for ever',
      is: () => second({ ...SECOND, expiresAt: '2027-11-23T00:00:00.000Z' }),
      code: 'EDW_ERR_PROPOSAL_INPUT',
    },
    { name: 'a policy with errors', is: () => asked(FIRST, BROKEN.bytes), code: 'EDW_ERR_PROPOSAL_POLICY' },
    {
      name: 'a test that fails with these workloads',
      is: () => asked(FIRST, TESTED.bytes, { inventory: () => workload('crm-1', '10.40.0.7') }),
      code: 'EDW_ERR_PROPOSAL_POLICY',
    },
  ];
  for (const { name, is, code } of table) {
    const inPlace = await answer({}, is());
    t.match(inPlace, code === undefined ? { refused: false } : { refused: true, code }, name);
    t.strictSame(await answer(PROCESS, is()), inPlace, `${name}: the same from a process`);
  }
});

t.test('what was computed with a proposal is not computed again when it is published', async (t) => {
  const lines = await createRecomputing(PROCESS).run(second());
  t.strictSame(Buffer.from(lines ?? []), Buffer.from(slicedLines(LONGER.bytes)));
  t.equal(await createRecomputing().run(second()), null, 'but for what takes no time');
  const world = await openWorld(t, {}, { recomputing: PROCESS });
  await world.publish(PLAIN);
  await world.propose(bundle(FRONT, policy({ ...CRM, ports: ['tcp/9443'] })), { reason: 'another one' });
  await world.publish(LONGER);
  const inForce = async (version: number) => {
    const slices: Slice[] = [];
    for await (const slice of world.store.proposals.slices(version)) slices.push(slice);
    return slices.map(({ rules, digest }) => ({ rules, digest }));
  };
  for (const [version, it] of [PLAIN, LONGER].entries())
    for (const time of ['the first time', 'again'])
      t.strictSame(
        await inForce(version + 1),
        slicesOf(it).map(({ rules, digest }) => ({ rules, digest })),
        time,
      );
});

t.test('what was thrown crosses as it was', (t) => {
  const deep = Object.assign(new Error('the disk'), { code: 'EIO' });
  const thrown = new EdgewardError('EDW_ERR_BUNDLE', 'reading', { mend: 'Do.', cause: deep, retryAfterMs: 5_000 });
  const back = thrownFrom(thrownText(thrown));
  t.type(back, EdgewardError);
  t.match(back, {
    code: 'EDW_ERR_BUNDLE',
    message: 'reading',
    mend: 'Do.',
    retryAfterMs: 5_000,
    stack: thrown.stack,
    cause: { code: 'EIO' },
  });
  const round: { self?: unknown } = {};
  round.self = round;
  const odd = thrownFrom(thrownText(Object.assign(new TypeError('a bug'), { code: 'ODD', round })));
  t.notOk(odd instanceof EdgewardError);
  t.match(odd, { name: 'TypeError', message: 'a bug', code: 'ODD' });
  t.equal(thrownFrom(thrownText('a word')).message, 'a word');
  t.end();
});

t.test('what needs too much time or memory is refused, and the next one has its turn', async (t) => {
  const table: { name: string; limits: Partial<RecomputingLimits>; message: RegExp }[] = [
    { name: 'time', limits: { timeMs: 1 }, message: /version 2 again: it takes longer than 0\.001 s/ },
    { name: 'heap', limits: { heapMegabytes: 4 }, message: /version 2 again: it needs more than 4 MB of memory/ },
    {
      name: 'memory outside the heap',
      limits: { memoryMegabytes: 1, lookMs: 1 },
      message: /version 2 again: it needs more than 1 MB of memory/,
    },
  ];
  for (const { name, limits, message } of table) {
    const recomputing = createRecomputing({ ...PROCESS, ...limits });
    const refused = { code: 'EDW_ERR_PROPOSAL_POLICY', message };
    await t.rejects(recomputing.run(second()), refused, name);
    await t.rejects(recomputing.run(second()), refused, `${name}: again`);
  }
});

/** Processes that this one started to compute policy again. */
async function computing(): Promise<number[]> {
  const threads = await readdir('/proc/self/task');
  const lists = await Promise.all(
    threads.map((id) => readFile(`/proc/self/task/${id}/children`, 'utf8').catch(() => '')),
  );
  const found: number[] = [];
  for (const pid of lists.flatMap((list) => list.split(' ')).map(Number))
    if (pid > 0 && (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes('recomputation-thread'))
      found.push(pid);
  return found;
}

/** It may have ended meanwhile. */
function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown;
  }
}

t.test('a process that dies before its answer is an error, and the next one has its turn', async (t) => {
  const recomputing = createRecomputing(PROCESS);
  const message = 'computing version 2 again: it ended with SIGKILL';
  let thrown: unknown = null;
  // Where this process was held up the other one may have answered before it was found.
  for (let attempt = 0; attempt < 20 && thrown === null; attempt += 1) {
    let isOver = false;
    const run = recomputing.run(second()).then(
      () => null,
      (reason: unknown) => reason,
    );
    void run.then(() => {
      isOver = true;
    });
    for (let pids: number[] = []; !isOver && pids.length === 0; await sleep(5)) {
      pids = await computing();
      for (const pid of pids) killed(pid);
    }
    thrown = await run;
  }
  t.match(thrown, { message });
  await recomputing.run(second());
  t.strictSame(await computing(), [], 'nothing is left of either');
});

t.test('a process whose answer nobody would hear ends', async (t) => {
  const program = new URL('../src/proposals/recomputation-thread.ts', import.meta.url);
  const child = fork(program, { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  t.teardown(() => child.kill('SIGKILL'));
  const limits = { timeMs: 600_000, heapMegabytes: 1_024, memoryMegabytes: 2_048, lookMs: 600_000 };
  const recomputation = { payload: FIRST, root: ROOT, documents: PLAIN.bytes, previous: null, inventory: null };
  await new Promise<void>((sent) => child.send({ do: 'recompute', recomputation, limits }, () => sent()));
  const ended = once(child, 'exit');
  child.disconnect();
  t.strictSame(await ended, [0, null]);
});

t.test('one at a time, break-glass before others, and no more wait than may', async (t) => {
  const recomputing = createRecomputing({ ...PROCESS, waiting: 1 });
  const begun: string[] = [];
  const run = (name: string, payload: Approval): Promise<unknown> => {
    const inventory = (): SourceDocument[] => {
      begun.push(name);
      return workload('crm-1', '10.30.0.7');
    };
    return recomputing.run(second(payload, { inventory }));
  };
  const first = run('first', SECOND);
  const waits = run('waits', SECOND);
  const glass = run('glass', GLASS);
  const later = { code: 'EDW_ERR_STORE_RATE', retryAfterMs: 60_000 };
  await t.rejects(run('too many', SECOND), later);
  await t.rejects(run('too much glass', GLASS), later);
  await Promise.all([first, waits, glass]);
  t.strictSame(begun, ['first', 'glass', 'waits']);
  await run('later', SECOND);
  t.strictSame(begun.at(-1), 'later');
});

t.test('with processes a version follows another as without, and others decide meanwhile', async (t) => {
  let meanwhile: (() => void) | null = null;
  const inventory = (): SourceDocument[] => {
    meanwhile?.();
    meanwhile = null;
    return workload('crm-1', '10.30.0.7');
  };
  const world = await openWorld(t, {}, { inventory, recomputing: PROCESS });
  await world.publish(PLAIN);
  const { id } = await world.propose(LONGER, { reason: 'a mistake' });
  const { proposals, record } = world.store;
  let rejected: Promise<unknown> | null = null;
  meanwhile = () => {
    rejected = proposals.reject(world.as('ada'), id, { reason: 'a mistake' });
  };
  const good = await world.propose(LONGER);
  await rejected;
  const last = (await record.read({ after: 0, limit: 1000 })).slice(-2);
  t.strictSame(
    last.map((it) => it.action),
    ['proposal.reject', 'proposal.propose'],
    'it was begun before, and is on the record after',
  );
  const late = await world.draft(bundle(FRONT, policy({ ...CRM, ports: ['tcp/9443'] })));
  let published: Promise<unknown> | null = null;
  await world.approve(good.id, 'cleo', 'dan');
  meanwhile = () => {
    published = proposals.publish(world.as('eve'), good.id);
  };
  const other = bundle(FRONT, policy({ ...CRM, ports: ['tcp/9443'] }));
  const outdated = proposals.propose(world.as('ada'), { approval: late, bundle: other.bytes });
  await t.rejects(outdated, { code: 'EDW_ERR_STORE_OUTDATED' }, 'what was published meanwhile counts');
  await published;
  t.match(proposals.current(), { version: 2, payload: { documents: { digest: LONGER.digest } } });
  t.strictSame((await proposals.bundle(2)).documents, LONGER.documents);
});
