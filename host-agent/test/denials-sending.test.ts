/** What a host keeps of policies, and how its denials reach the service. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { type DenySpool, openDenySpool } from '@edgeward/deny-spool';
import { decide } from '@edgeward/policy';
import { createLogger, EdgewardError, systemClock } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import { parseDenialBatch } from '../protocol/index.ts';
import { denialRecord, gapRecord, spoolGapRecord } from '../src/denials/denial-record.ts';
import { openKeptPolicies } from '../src/denials/kept-policies.ts';
import type { Sample } from '../src/denials/sample.ts';
import { createSampleFold } from '../src/denials/sample-fold.ts';
import { startSender } from '../src/denials/sender.ts';
import type { SendDenials } from '../src/parts.ts';
import { storingService, until } from './fixtures/denials-stage.ts';
import { hostPolicy } from './fixtures/host-fixture.ts';

// Pauses are waited for.
t.jobs = 3;

const SAMPLE: Sample = {
  ...{ hook: 'input', generation: 1, policy: 'abcdef01', source: '10.2.0.5', sourcePort: 7 },
  ...{ destination: '10.40.0.7', port: 'tcp/5432', atMs: null },
};

function clockAt(startMs: number): { now(): number; after: typeof systemClock.after; set(ms: number): void } {
  let nowMs = startMs;
  const set = (ms: number): void => {
    nowMs = ms;
  };
  return { now: () => nowMs, after: systemClock.after, set };
}

t.test('of policies with the same samples the time tells, and what it denied must be denied by it', async (t) => {
  const clock = clockAt(1_000);
  const folder = t.testdir({});
  const kept = await openKeptPolicies(folder, clock);
  const small = hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] });
  const grown = hostPolicy({ revision: 2, allow: ['10.1.0.0/16', '10.2.0.0/16'] });
  const sampled = small.hash.slice(0, 8);
  await kept.keep(small, sampled);
  clock.set(2_000);
  await kept.keep(grown, sampled);
  for (const again of [kept, await openKeptPolicies(folder, clock)]) {
    const revisions = async (atMs: number): Promise<number[]> =>
      (await again.find(sampled, atMs)).map(({ view }) => view.revision);
    t.strictSame(await revisions(1_500), [1, 2]);
    t.strictSame(await revisions(2_500), [2, 1]);
    t.strictSame(await revisions(10), [1, 2], 'a clock that was set');
    t.strictSame(await again.find('00000000', 1_500), [], 'of nobody');
    t.not(again.wordFor(sampled, 1_500), again.wordFor(sampled, 2_500));
    const folded = { sample: SAMPLE, count: 3, sourcePort: 7, fromMs: 2_500, toMs: 2_600 };
    const record = JSON.parse(denialRecord(folded, await again.find(sampled, 2_500), 'tcp/5432') ?? 'null');
    t.match(record, { revision: 1, reason: 'unknown-source', count: 3 }, 'the later one would have let it in');
    const said = decide((await again.find(sampled, 1_500))[0]?.view as never, {
      from: '10.2.0.5',
      to: 'db-1',
      port: 'tcp/5432',
    });
    t.match(said, { verdict: 'deny', reason: record.reason, rule: record.rule });
    const allowed = { ...folded, sample: { ...SAMPLE, source: '10.1.0.5' } };
    t.equal(denialRecord(allowed, await again.find(sampled, 2_500), 'tcp/5432'), null, 'let in by each: not explained');
  }
});

t.test('the policies of the last days are kept, and not more of them', async (t) => {
  const clock = clockAt(0);
  const folder = t.testdir({});
  const kept = await openKeptPolicies(folder, clock);
  const policies = Array.from({ length: 12 }, (_, n) => hostPolicy({ revision: n + 1, allow: [`10.${n + 1}.0.0/16`] }));
  for (const policy of policies) await kept.keep(policy, policy.hash.slice(0, 8));
  const found = async (index: number): Promise<number> =>
    (await kept.find(policies[index]?.hash.slice(0, 8) ?? '', 0)).length;
  t.strictSame([await found(0), await found(3), await found(4), await found(11)], [0, 0, 1, 1], 'eight of them');
  t.equal(readdirSync(folder).length, 8 + 1);
  clock.set(8 * 86_400_000);
  const later = hostPolicy({ revision: 20, allow: ['10.99.0.0/16'] });
  await kept.keep(later, later.hash.slice(0, 8));
  clock.set(8 * 86_400_000 + 1);
  t.strictSame([await found(10), await found(11)], [0, 1], 'the one that was in force until now, and none before it');
});

t.test('a list of policies that was damaged is as good as none, and another one is begun', async (t) => {
  const policy = hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] });
  const sampled = policy.hash.slice(0, 8);
  for (const text of ['', '{"v":1}', '{"v":1,"policies":[null,7,{"hash":"../../x"}]}', '[]', 'null']) {
    const folder = t.testdir({ 'list.json': text });
    const kept = await openKeptPolicies(folder, clockAt(1_000));
    t.equal(kept.wordFor(sampled, 1_000), sampled, text);
    await kept.keep(policy, sampled);
    t.equal((await (await openKeptPolicies(folder, clockAt(1_000))).find(sampled, 1_000)).length, 1, text);
  }
});

t.test('a policy on disk that was damaged names nothing, and is written anew when it is in force', async (t) => {
  const policy = hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] });
  const another = JSON.stringify(hostPolicy({ revision: 1, allow: ['10.2.0.0/16'] }));
  const sampled = policy.hash.slice(0, 8);
  const damages = ['', '{"half', '{}', 'null', '[]'].map((text) => [text, text] as const);
  for (const [name, text] of [...damages, ['another policy', another] as const]) {
    const folder = t.testdir({});
    await (await openKeptPolicies(folder, clockAt(1_000))).keep(policy, sampled);
    writeFileSync(join(folder, `${policy.hash}.json`), text);
    const kept = await openKeptPolicies(folder, clockAt(2_000));
    t.strictSame(await kept.find(sampled, 1_500), [], `${name}: no name`);
    await kept.keep(policy, sampled);
    t.equal((await kept.find(sampled, 1_500)).length, 1, `${name}: as soon as it is told`);
    t.equal(
      (await (await openKeptPolicies(folder, clockAt(3_000))).find(sampled, 1_500)).length,
      1,
      `${name}: on disk`,
    );
  }
});

t.test('equal samples are one, and there is a bound', (t) => {
  const fold = createSampleFold(2);
  t.equal(fold.add(SAMPLE, 10, 'a'), true);
  t.equal(fold.add({ ...SAMPLE, sourcePort: 8 }, 5, 'a'), true);
  t.equal(fold.add(SAMPLE, 20, 'b'), true, 'under another policy');
  t.equal(fold.add({ ...SAMPLE, source: '10.9.9.9' }, 30, 'a'), false, 'no place');
  t.equal(fold.add(SAMPLE, 40, 'a'), true, 'what has a place keeps it');
  t.match(fold.take(), [
    { count: 3, sourcePort: null, fromMs: 5, toMs: 40 },
    { count: 1, sourcePort: 7, fromMs: 20, toMs: 20 },
  ]);
  t.strictSame(fold.take(), []);
  t.end();
});

async function spoolWith(t: Test, records: number): Promise<DenySpool> {
  const spool = await openDenySpool({ folder: join(t.testdir({}), 'spool'), gapRecord: spoolGapRecord });
  for (let record = 0; record < records; record += 1) {
    const gap = gapRecord({ cause: 'not-sampled', count: 1, fromMs: record, toMs: record });
    await spool.append({ records: [gap], count: 1, fromMs: 0, toMs: 1 });
  }
  return spool;
}

function sending(t: Test, spool: DenySpool, send: SendDenials): ReturnType<typeof startSender> {
  const sender = startSender({ spool, send, clock: systemClock, logger: createLogger({ level: 'silent' }) });
  t.teardown(async () => {
    await sender.close();
    await spool.close();
  });
  return sender;
}

t.test('a backlog goes in batches of 500, one at a time, and what was acknowledged is not sent again', async (t) => {
  const spool = await spoolWith(t, 1_203);
  const service = storingService();
  let [atOnce, most] = [0, 0];
  const sender = sending(t, spool, async (gzipped) => {
    atOnce += 1;
    most = Math.max(most, atOnce);
    const answer = await service.send(gzipped);
    atOnce -= 1;
    return answer;
  });
  sender.wake(0);
  await until('all is sent', () => spool.status().pending === 0);
  t.equal(service.total(), 1_203);
  t.equal(service.batches(), 3);
  t.equal(most, 1);
  await spool.append({ records: [spoolGapRecord({ count: 9, fromMs: 0, toMs: 1 })], count: 9, fromMs: 0, toMs: 1 });
  sender.wake(0);
  await until('the next is sent', () => spool.status().pending === 0);
  t.match(service.records().at(-1), { seq: 1_204, cause: 'spool-full', count: 9 });
});

t.test('whatever a service answers that is no acknowledgement leaves everything in the spool', async (t) => {
  const busy = new EdgewardError('EDW_ERR_SERVICE_BUSY', 'later', { mend: '-', cause: { retryAfterSeconds: 1 } });
  const answers: [string, SendDenials, boolean][] = [
    ['another epoch', async () => ({ epoch: '0'.repeat(32), acknowledged: 3 }), true],
    ['less than was sent before', async (gzipped) => ({ epoch: await epochOf(gzipped), acknowledged: 0 }), true],
    ['none', () => Promise.reject(new Error('cut off')), true],
    ['not now', () => Promise.reject(busy), false],
  ];
  for (const [name, answer, warns] of answers) {
    const spool = await spoolWith(t, 3);
    const service = storingService();
    let asked = 0;
    const sender = sending(t, spool, (gzipped) => {
      asked += 1;
      return asked === 1 ? answer(gzipped) : service.send(gzipped);
    });
    await until(`${name}: it was asked`, () => asked >= 1);
    await until(`${name}: told`, () => warns === (sender.warning() !== null) || asked > 1);
    await until(`${name}: asked again`, () => spool.status().pending === 0);
    t.equal(service.total(), 3, name);
    await until(`${name}: over`, () => sender.warning() === null);
  }
});

t.test('since when the oldest record waits is known, also of what waited before it began', async (t) => {
  const spool = await spoolWith(t, 2);
  const service = storingService();
  let isAway = true;
  const sender = sending(t, spool, (gzipped) => (isAway ? Promise.reject(new Error('away')) : service.send(gzipped)));
  await until('the first one that waits', () => sender.oldestMs() === 0);
  sender.wake(5_000);
  t.equal(sender.oldestMs(), 0, 'an older one waits');
  isAway = false;
  await until('none waits', () => sender.oldestMs() === null);
  t.equal(spool.status().pending, 0);
});

t.test('part of a batch is acknowledged, and the rest is sent again', async (t) => {
  const spool = await spoolWith(t, 5);
  const firsts: number[] = [];
  sending(t, spool, async (gzipped) => {
    const { epoch, records } = await batchOf(gzipped);
    firsts.push(records[0]?.seq ?? 0);
    return { epoch, acknowledged: firsts.length === 1 ? 2 : 99 };
  });
  await until('all is sent', () => spool.status().pending === 0);
  t.strictSame(firsts, [1, 3]);
});

async function batchOf(gzipped: Uint8Array): Promise<ReturnType<typeof parseDenialBatch>> {
  return parseDenialBatch(String(await promisify(gunzip)(gzipped)));
}

const epochOf = async (gzipped: Uint8Array): Promise<string> => (await batchOf(gzipped)).epoch;
