/** What was denied adds up to what the kernel counted, whatever becomes of samples, of ulogd and of the agent. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CompiledPolicy } from '@edgeward/policy';
import { HOST_ADDRESSES, type ProbeFlow, requireHosts } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { startable } from '../../test/kit/program.ts';
import {
  type DenialsStage,
  denialsStage,
  flood,
  kernelCount,
  reading,
  requireUlogd,
  settled,
  startFlood,
  until,
  WINDOW_MS,
} from './fixtures/denials-stage.ts';
import { hostPolicy } from './fixtures/host-fixture.ts';

requireHosts(t);
await requireUlogd(t);
// Samples and windows are waited for; each host is one of its own. What takes longest comes first.
t.jobs = 4;

const { inet, inet6 } = HOST_ADDRESSES;
const POLICY = hostPolicy({ revision: 4, allow: ['10.1.0.0/16'] });
const SAMPLED = POLICY.hash.slice(0, 8);
const strangers = (count: number): string[] => Array.from({ length: count }, (_, n) => `203.0.113.${n + 1}`);
const callsFrom = (from: readonly string[]): ProbeFlow[] =>
  from.map((one) => ({ from: one, to: inet, port: 'udp/5999' }));

function ulogdPid({ runtimeDir }: DenialsStage): number {
  return Number(readFileSync(join(runtimeDir, 'ulogd.pid'), 'utf8'));
}

t.test('an agent that is killed again and again tells of each denial once', async (t) => {
  const rounds = 2 * Number(process.env.EDGEWARD_RUNS ?? 1);
  t.setTimeout(400_000 + rounds * 30_000);
  const stage = await denialsStage(t);
  await stage.point.apply(POLICY);
  // Kept by one that ends well, so that those that are killed can name.
  const first = await stage.open();
  first.policyApplied(POLICY, 1, SAMPLED);
  await first.close();
  await stage.host.call(callsFrom(strangers(1)));
  let sent = 1;
  for (let round = 0; round < rounds; round += 1) {
    const child = await startChild(t, stage);
    await reading(stage);
    sent += await flood(t, stage, { to: inet, from: strangers(1), seconds: 0.2 });
    await stage.host.call(callsFrom(strangers(3)));
    sent += 3;
    await sleep(((round * 7919) % 10) * (WINDOW_MS / 5));
    const pid = ulogdPid(stage);
    child.kill('SIGKILL');
    await once(child, 'close');
    await until('ulogd ends with it', () => !existsSync(`/proc/${pid}`));
  }
  t.equal(await kernelCount(stage), sent);
  const denials = await stage.open();
  await settled(stage, denials);
  t.equal(denials.counters().denied, sent, `${rounds} kills`);
  t.equal(stage.service.total(), sent);
  t.ok(stage.service.denials().length > 0, 'samples of those that were killed are named');
});

t.test('counts go on over policies in the middle of a flood', async (t) => {
  t.setTimeout(400_000);
  const stage = await denialsStage(t);
  const denials = await stage.open();
  const policyAt = (revision: number): CompiledPolicy => hostPolicy({ revision, allow: [`10.${revision}.0.0/16`] });
  await stage.point.apply(policyAt(1));
  denials.policyApplied(policyAt(1), 1, policyAt(1).hash.slice(0, 8));
  await reading(stage);
  await stage.host.call(callsFrom(strangers(4)));
  const before = await kernelCount(stage);
  const flooding = startFlood(t, stage, { to: inet, from: strangers(4), seconds: 300, pauseMs: 20 });
  for (const revision of [2, 3, 4, 5, 6]) {
    const counted = await kernelCount(stage);
    await until('more is denied', async () => (await kernelCount(stage)) > counted + 1000);
    await denials.policyComing(policyAt(revision));
    await stage.point.apply(policyAt(revision));
    denials.policyApplied(policyAt(revision), 1, policyAt(revision).hash.slice(0, 8));
    await stage.point.settled();
  }
  await until('the last one denies as well', async () => (await kernelCount(stage)) > 1000);
  flooding.stop();
  const sent = before + (await flooding.over);
  await settled(stage, denials);
  t.equal(denials.counters().denied, sent, 'every packet');
  t.equal(stage.service.total(), sent);
});

t.test('counts go on over policies', async (t) => {
  t.setTimeout(400_000);
  const stage = await denialsStage(t);
  const denials = await stage.open();
  await reading(stage);
  let called = 0;
  for (const revision of [1, 2, 3, 4]) {
    const policy = hostPolicy({ revision, allow: [`10.${revision}.0.0/16`] });
    await denials.policyComing(policy);
    await stage.point.apply(policy);
    denials.policyApplied(policy, 1, policy.hash.slice(0, 8));
    await stage.host.call(callsFrom(strangers(revision * 2)));
    called += revision * 2;
  }
  await settled(stage, denials);
  t.equal(denials.counters().denied, called);
  t.equal(stage.service.total(), called);
});

for (const backend of ['nft', 'legacy'] as const) {
  t.test(`a flood is counted to the packet, and every source of it is named (${backend})`, async (t) => {
    t.setTimeout(400_000);
    const stage = await denialsStage(t, backend);
    await stage.point.apply(POLICY);
    const denials = await stage.open();
    denials.policyApplied(POLICY, 1, SAMPLED);
    await reading(stage);
    const sources = strangers(40);
    await stage.host.call(callsFrom(sources));
    const before = await kernelCount(stage);
    const startedMs = Date.now();
    const sent = await flood(t, stage, { to: inet, from: sources, seconds: 1 });
    const perSecond = Math.round(sent / ((Date.now() - startedMs) / 1000));
    const counted = (await kernelCount(stage)) - before;
    t.equal(counted, sent, 'the kernel counts what was sent');
    await settled(stage, denials);
    const { denied, sampled, notSampled, netlinkDrops } = denials.counters();
    t.equal(denied, sent + before, 'and so do we');
    t.equal(sampled + notSampled, denied);
    t.equal(new Set(stage.service.denials().map(({ source }) => source)).size, sources.length, 'each source');
    t.comment(
      `${sent} packets, ${perSecond} a second: ${sampled} sampled, ${notSampled} in gaps, ${netlinkDrops} drops`,
    );
    t.comment(`${stage.service.records().length} records in ${stage.service.batches()} batches`);
  });
}

t.test('a flood over IPv6 is counted to the packet', async (t) => {
  t.setTimeout(400_000);
  const stage = await denialsStage(t);
  await stage.point.apply(POLICY);
  const denials = await stage.open();
  denials.policyApplied(POLICY, 1, SAMPLED);
  await reading(stage);
  const source = '2001:db8:bad::9';
  await stage.host.call([{ from: source, to: inet6, port: 'udp/5999' }]);
  const before = await kernelCount(stage);
  const sent = await flood(t, stage, { to: inet6, from: [source], seconds: 1 });
  await settled(stage, denials);
  t.equal(denials.counters().denied, before + sent);
  t.ok(stage.service.denials().every((record) => record.source === source));
});

t.test('ulogd that is killed is started again, and what came meanwhile is a gap with its number', async (t) => {
  t.setTimeout(400_000);
  const stage = await denialsStage(t);
  await stage.point.apply(POLICY);
  const denials = await stage.open();
  denials.policyApplied(POLICY, 1, SAMPLED);
  await reading(stage);
  const killed = ulogdPid(stage);
  await stage.host.call(callsFrom(strangers(3)));
  await settled(stage, denials);
  process.kill(killed, 'SIGKILL');
  await stage.host.call(callsFrom(strangers(5)));
  const isAnother = (): boolean => existsSync(join(stage.runtimeDir, 'ulogd.pid')) && ulogdPid(stage) !== killed;
  await until('another one was started', isAnother);
  await reading(stage);
  await stage.host.call(callsFrom(strangers(8).slice(5)));
  await settled(stage, denials);
  t.equal(denials.counters().denied, await kernelCount(stage));
  t.equal(denials.counters().denied, 3 + 5 + 3);
  const sources = new Set(stage.service.denials().map(({ source }) => source));
  t.ok(
    strangers(8)
      .slice(5)
      .every((one) => sources.has(one)),
    'samples come again',
  );
  await until('the warning is over', () => denials.warnings().length === 0);
});

t.test('without ulogd it is said once, and counts are exact', async (t) => {
  const stage = await denialsStage(t);
  await stage.point.apply(POLICY);
  const denials = await stage.open({ ulogdFolders: [] });
  denials.policyApplied(POLICY, 1, SAMPLED);
  await stage.host.call(callsFrom(strangers(7)));
  await settled(stage, denials);
  t.match(denials.warnings(), ['ulogd is not installed']);
  t.strictSame(stage.service.denials(), []);
  t.ok(stage.service.gaps().every(({ cause }) => cause === 'not-sampled'));
  t.equal(stage.service.total(), 7);
});

t.test('while the service is away all is kept, and it comes when it is back, each once', async (t) => {
  t.setTimeout(400_000);
  const stage = await denialsStage(t);
  await stage.point.apply(POLICY);
  stage.service.away(true);
  const denials = await stage.open();
  denials.policyApplied(POLICY, 1, SAMPLED);
  await reading(stage);
  await stage.host.call(callsFrom(strangers(4)));
  await until('it is kept', () => denials.counters().pending > 0);
  await until('it is told', () => denials.warnings().length > 0);
  t.match(denials.warnings(), [/sending denials: the service is away/]);
  stage.service.away(false);
  await settled(stage, denials);
  t.equal(stage.service.total(), 4);
  t.strictSame(denials.warnings(), []);
});

async function startChild(t: Test, { host, stateDir, runtimeDir }: DenialsStage): Promise<ReturnType<typeof spawn>> {
  const script = startable(join(import.meta.dirname, 'fixtures', 'counting-child.ts'));
  const args = ['--conditions=edgeward-source', script, host.where.join(' '), stateDir, runtimeDir, String(WINDOW_MS)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}
