/** What hosts and people may do to the service, on purpose or not: the whole service, real certificates, the real ledger. */
import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { formatDenialBatch, type HostRecord } from '@edgeward/host-agent/protocol';
import type { CompiledPolicy } from '@edgeward/policy';
import t from 'tap';
import { enrol, inForce, type Place, placeFor, type Running, until } from '../fixtures/host-service.ts';

interface Given {
  points?: readonly string[];
  sources?: readonly string[];
  mode?: string;
}

/** One database a host, and who may reach them. */
function documents({ points = ['host-1', 'host-2'], sources = ['10.30.0.0/16'], mode = 'enforce' }: Given): string {
  const rule = { id: 'crm', from: sources.map((cidr) => ({ cidr })), to: "app == 'db'", ports: ['tcp/5432'] };
  const all = [
    ...points.flatMap((point, at) => [
      {
        ...{ kind: 'Workload', name: `db-${at + 1}`, labels: { app: 'db' } },
        ...{ addresses: [`10.40.0.${at + 1}`], point, mode },
      },
      { kind: 'Point', name: point, management: ['10.99.0.0/24'] },
    ]),
    { kind: 'Workload', name: 'web', labels: { app: 'web' }, addresses: ['10.50.0.1'] },
    { kind: 'Policy', name: 'db', rules: [rule] },
  ];
  return all.map((document) => `${JSON.stringify(document)}\n`).join('');
}

function idsIn(policy: CompiledPolicy | null): string[] {
  return policy?.objects.flatMap(({ rules }) => rules.map(({ id }) => id)) ?? [];
}

async function accept({ folder }: Place, { service }: Running): Promise<number> {
  const token = (await readFile(join(folder, 'state', 'api-token'), 'utf8')).trim();
  const revision = service.status().policy.held?.revision;
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const said = await fetch(`${service.url}/v1/accept`, { method: 'POST', headers, body: JSON.stringify({ revision }) });
  if (!said.ok) throw new Error(await said.text());
  return revision ?? 0;
}

const EPOCH = '0123456789abcdef'.repeat(2);
const denialAt = (seq: number, object: string): HostRecord => ({
  ...{ seq, kind: 'denial', count: 1, object, source: '10.9.9.9', sourcePort: null, port: 'tcp/5432', revision: 1 },
  ...{ windowStart: '2026-11-23T10:00:00.000Z', windowEnd: '2026-11-23T10:00:09.000Z' },
  ...{ verdict: 'deny', reason: 'unknown-source', rule: null, nearestRule: null, missed: null },
});

t.test('hosts whose names every object has are hosts like others', async (t) => {
  const points = ['constructor', 'toString', 'hasOwnProperty', 'valueOf'];
  const place = await placeFor(t, points);
  await place.write(documents({ points }));
  const running = await place.start();
  for (const point of points) {
    const host = await enrol(place, running, point);
    const policy = await host.policy();
    t.match(policy, { point, objects: [{ mode: 'enforce' }] }, point);
    if (policy === null) continue;
    const applied = { revision: policy.revision, hash: policy.hash };
    t.equal((await host.report({ applied, state: 'applied', mode: 'enforce' })).status, 200);
    const body = gzipSync(formatDenialBatch({ epoch: EPOCH, records: [denialAt(1, policy.objects[0]?.name ?? '')] }));
    const sent = await host.call('POST', '/v1/host/denials', { headers: { 'content-encoding': 'gzip' }, body });
    t.equal(sent.status, 200);
    await until(`${point} is current`, () => running.point(point).state === 'current');
    t.match(running.point(point), { denials: { stored: 1 }, hazards: [] });
  }
  const text = await (await fetch(`${running.service.url}/metrics`)).text();
  for (const point of points) t.ok(text.includes(`edgeward_host_stale{point="${point}"} 0\n`), point);
});

t.test('nothing of a held revision reaches a host before it is accepted, also over a restart', async (t) => {
  const place = await placeFor(t);
  await place.write(documents({ sources: ['10.30.0.0/16', '10.31.0.0/16', '10.32.0.0/16'] }));
  const running = await place.start();
  const host = await enrol(place, running, 'host-1');
  const first = await host.policy();
  if (first === null) throw new Error('the host has no policy');
  await host.report(inForce(first));
  await place.write(documents({}));
  await until('it is held', () => running.service.status().policy.held !== null);
  t.equal((await host.call('GET', '/v1/host/policy')).status, 200);
  t.equal((await host.policy())?.hash, first.hash, 'it gets what is in force');
  const said = await host.report(inForce(first));
  t.match(JSON.parse(said.body.toString()), { revision: first.revision }, 'and no other number is told');
  await running.stop();
  const again = await place.start();
  await until('it is held again', () => again.service.status().policy.held !== null);
  const restarted = await host.policy();
  t.equal(restarted?.hash, first.hash, 'a restart gives nothing away');
  const waiting = host.policy(restarted ?? first);
  const revision = await accept(place, again);
  const last = await waiting;
  t.equal(last?.revision, revision);
  t.not(last?.hash, first.hash);
});

t.test('a host whose last object goes is told so, and keeps nothing of it', async (t) => {
  const place = await placeFor(t);
  await place.write(documents({}));
  const running = await place.start();
  const host = await enrol(place, running, 'host-1');
  const first = await host.policy();
  if (first === null) throw new Error('the host has no policy');
  await host.report(inForce(first));
  const next = host.policy(first);
  await place.write(documents({ points: ['host-2'] }));
  const last = await next;
  t.strictSame(last?.objects, []);
  if (last !== null) await host.report({ ...inForce(last), mode: null });
  await until('it is current', () => running.point('host-1').state === 'current');
});

t.test('a host is told when what it does is to change: off, observe, enforce', async (t) => {
  const place = await placeFor(t);
  await place.write(documents({ mode: 'enforce' }));
  const running = await place.start();
  const host = await enrol(place, running, 'host-1');
  let held = await host.policy();
  for (const mode of ['observe', 'off', 'enforce']) {
    if (held === null) throw new Error('nothing came');
    const next = host.policy(held);
    await place.write(documents({ mode }));
    held = await next;
    t.match(held?.objects, [{ mode }], mode);
  }
});

t.test('a host that is not configured any more gets nothing, and no invite makes it one', async (t) => {
  const place = await placeFor(t);
  await place.write(documents({}));
  const before = await place.start();
  const [gone, kept] = [await enrol(place, before, 'host-1'), await enrol(place, before, 'host-2')];
  await before.stop();
  await place.configure(['host-2']);
  const after = await place.start();
  const headers = { 'content-encoding': 'gzip' };
  const body = gzipSync(formatDenialBatch({ epoch: EPOCH, records: [denialAt(1, 'db-1')] }));
  for (const answer of [
    await gone.call('GET', '/v1/host/policy'),
    await gone.report({}),
    await gone.call('POST', '/v1/host/denials', { headers, body }),
    await gone.call('POST', '/v1/host/certificate', { body: '{}' }),
  ])
    t.match([answer.status, JSON.parse(answer.body.toString()).error.code], [403, 'EDW_ERR_HOST_UNKNOWN']);
  await t.rejects(enrol(place, after, 'host-1'), /EDW_ERR_HOST_ENROLMENT/);
  t.equal((await kept.call('GET', '/v1/host/policy')).status, 200);
  t.strictSame(after.service.collector.spools(), [], 'nothing of it is stored');
});

t.test('without STATEDIR/hosts nobody is believed any more, and an invite heals it', async (t) => {
  const place = await placeFor(t);
  await place.write(documents({}));
  const before = await place.start();
  const host = await enrol(place, before, 'host-1');
  const held = await host.policy();
  await before.stop();
  await rm(join(place.folder, 'state', 'hosts'), { recursive: true });
  const after = await place.start();
  await t.rejects(host.policy(), /certificate|self-signed|signature/i, 'a host sees that this is another service');
  const again = await enrol(place, after, 'host-1');
  const policy = await again.policy();
  t.equal(policy?.hash, held?.hash);
  t.ok((policy?.revision ?? 0) >= (held?.revision ?? 1), 'not older than what it has');
});

t.test('without all of STATEDIR numbers go on from what an enrolled host says', async (t) => {
  const place = await placeFor(t);
  await place.write(documents({}));
  const before = await place.start();
  const host = await enrol(place, before, 'host-1');
  for (const more of [31, 32, 33, 34]) {
    const held = await host.policy();
    if (held === null) throw new Error('nothing came');
    const next = host.policy(held);
    await place.write(documents({ sources: ['10.30.0.0/16', `10.${more}.0.0/16`] }));
    await next;
  }
  const held = await host.policy();
  if (held === null) throw new Error('nothing came');
  await before.stop();
  await rm(join(place.folder, 'state'), { recursive: true });
  const after = await place.start();
  const again = await enrol(place, after, 'host-1');
  t.equal((await again.policy())?.revision, 1);
  await again.report(inForce(held));
  await until('it numbers above', () => after.service.status().policy.revision > held.revision);
  t.ok(((await again.policy())?.revision ?? 0) > held.revision);
});

t.test('a grant ends at its instant, though the policy directory is away', async (t) => {
  const place = await placeFor(t);
  const ends = new Date(Date.now() + 6_000).toISOString();
  const grant = { id: 'break', from: [{ cidr: '10.77.0.0/16' }], to: "app == 'db'", ports: ['tcp/5432'], until: ends };
  const policy = JSON.stringify({ kind: 'Policy', name: 'grant', rules: [grant] });
  await place.write(`${documents({})}${policy}\n`);
  const running = await place.start();
  const host = await enrol(place, running, 'host-1');
  const first = await host.policy();
  if (first === null) throw new Error('nothing came');
  await host.report(inForce(first));
  t.match(idsIn(first), ['break', 'crm']);
  const next = host.policy(first);
  await rename(join(place.folder, 'policies'), join(place.folder, 'away'));
  const second = await next;
  t.ok(Date.now() >= Date.parse(ends), 'not earlier');
  t.strictSame(idsIn(second), ['crm']);
});

t.test('a stolen host fills neither the totals nor the metrics with names that it makes up', async (t) => {
  const place = await placeFor(t);
  await place.write(documents({}));
  const running = await place.start();
  const host = await enrol(place, running, 'host-1');
  const perBatch = 500;
  for (let batch = 0; batch < 4; batch += 1) {
    const first = batch * perBatch + 1;
    const made = Array.from({ length: perBatch }, (_, i) => denialAt(first + i, `made-up-${first + i}`));
    const records = batch < 3 ? made : [...made, denialAt(first + perBatch, 'db-1')];
    const body = gzipSync(formatDenialBatch({ epoch: EPOCH, records }));
    const sent = await host.call('POST', '/v1/host/denials', { headers: { 'content-encoding': 'gzip' }, body });
    t.equal(sent.status, 200);
  }
  const [spool] = running.service.collector.spools();
  t.equal(spool?.observed, 4 * perBatch + 1, 'all of them count');
  const text = await (await fetch(`${running.service.url}/metrics`)).text();
  t.notMatch(text, /made-up-40/, 'few of them are kept');
  const objects = (await running.service.collector.denials({ limit: 10_000 })).map(({ event }) => event.object);
  t.equal(objects.length, 33, 'and what it has is recorded as ever');
  t.ok(objects.includes('db-1'));
});
