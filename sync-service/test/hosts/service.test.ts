/** The whole service with hosts in its configuration: enrolment, policy, reports, denials, restarts; all over real TLS. */
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import {
  type EnrolmentAnswer,
  formatDenialBatch,
  type HostReport,
  openHostPolicy,
} from '@edgeward/host-agent/protocol';
import type { CompiledPolicy } from '@edgeward/policy';
import { createLifecycle, createLogger } from '@edgeward/runtime';
import { freePort } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { makeInvite } from '../../src/hosts/invites.ts';
import { loadServiceConfig, type Service, startService } from '../../src/index.ts';
import type { PointReport } from '../../src/status-api.ts';
import { reportAt } from '../fixtures/calling.ts';
import { ask, enrolmentOf, type HostKey, hostKey, renewalOf } from '../fixtures/enrolling.ts';

const workload = (name: string, more: object): string =>
  `${JSON.stringify({ kind: 'Workload', name, labels: { app: 'db' }, mode: 'enforce', ...more })}\n`;

/** More each time: an edit that takes much away would be held. */
function policiesFor(sources: readonly string[]): string {
  const rule = { id: 'crm', from: sources.map((cidr) => ({ cidr })), to: "app == 'db'", ports: ['tcp/5432'] };
  return [
    workload('db-1', { addresses: ['10.40.0.7'], point: 'host-1' }),
    workload('db-2', { addresses: ['10.40.0.8'], point: 'host-2' }),
    `${JSON.stringify({ kind: 'Point', name: 'host-1', management: ['10.99.0.0/24'] })}\n`,
    `${JSON.stringify({ kind: 'Policy', name: 'db', rules: [rule] })}\n`,
  ].join('');
}

interface Running {
  service: Service;
  stop(): Promise<void>;
  point(name: string): PointReport;
}

interface Place {
  folder: string;
  start(): Promise<Running>;
  write(...sources: string[]): Promise<void>;
}

async function placeFor(t: Test): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-hosts-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const [api, calls] = [await freePort(), await freePort()];
  const config = {
    stateDir: 'state',
    api: { listen: `127.0.0.1:${api}` },
    hosts: {
      listen: `127.0.0.1:${calls}`,
      enrolListen: '127.0.0.1:0',
      names: ['127.0.0.1'],
      points: { 'host-1': {}, 'host-2': {} },
    },
  };
  const file = join(folder, 'edgeward.yaml');
  await writeFile(file, JSON.stringify(config));
  await mkdir(join(folder, 'policies'));
  return {
    folder,
    // By rename: the folder is watched, and half a file is a policy too.
    async write(...sources) {
      await writeFile(join(folder, 'next'), policiesFor(sources));
      await rename(join(folder, 'next'), join(folder, 'policies', 'all.ndjson'));
    },
    start: () => startIn(t, file),
  };
}

async function startIn(t: Test, file: string): Promise<Running> {
  const config = await loadServiceConfig({ file });
  const logger = createLogger({ level: 'silent' });
  const lifecycle = createLifecycle(logger);
  const stop = async (): Promise<void> => {
    const { unclosed } = await lifecycle.shutdown('the test ends');
    lifecycle.release();
    if (unclosed.length > 0) throw new Error(`left open: ${unclosed.join(', ')}`);
  };
  t.teardown(stop);
  const service = await startService({ config, version: '0.1.0', logger, lifecycle });
  const point = (name: string): PointReport => {
    const found = service.status().points.find((it) => it.point === name);
    if (found === undefined) throw new Error(`there is no point ${name}`);
    return found;
  };
  return { service, stop, point };
}

interface Host {
  answer: EnrolmentAnswer;
  key: HostKey;
  call(
    method: string,
    path: string,
    more?: { headers?: Record<string, string>; body?: string | Buffer },
  ): Promise<Called>;
  /** As the service says it: opened, or nothing new. */
  policy(held?: CompiledPolicy): Promise<CompiledPolicy | null>;
  report(more: Partial<HostReport>): Promise<Called>;
}

interface Called {
  status: number;
  body: Buffer;
}

/** By an invite, as a person and a host do it together. */
async function enrol({ folder }: Place, { service }: Running, point: string): Promise<Host> {
  const nowMs = Date.now();
  const secret = await makeInvite(join(folder, 'state', 'hosts'), { point, nowMs, endsAtMs: nowMs + 60_000 });
  const key = hostKey();
  const ca = await readFile(join(folder, 'state', 'hosts', 'authority', 'authority.pem'), 'utf8');
  const said = await ask(`${service.hosts?.enrolUrl}/v1/enrol`, { ca, body: enrolmentOf(secret, key) });
  if (said.status !== 200) throw new Error(`not enrolled: ${said.code} ${said.message}`);
  return hostWith(said.answer, key, point);
}

function hostWith(answer: EnrolmentAnswer, key: HostKey, point: string): Host {
  const shown = { cert: answer.certificate, key: key.privatePem, ca: answer.authority };
  const call: Host['call'] = (method, path, { headers = {}, body } = {}) =>
    new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(30_000);
      const url = `${answer.service[0]}${path}`;
      const sent = request(url, { ...shown, method, headers, agent: false, signal }, async (response) => {
        try {
          const pieces: Buffer[] = [];
          for await (const piece of response) pieces.push(Buffer.from(piece));
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces) });
        } catch (thrown) {
          reject(thrown);
        }
      });
      sent.on('error', reject);
      sent.end(body);
    });
  return {
    ...{ answer, key, call },
    async policy(held) {
      const headers: Record<string, string> = { prefer: 'wait=20' };
      if (held !== undefined) headers['if-none-match'] = `"${held.revision}-${held.hash.slice(0, 16)}"`;
      const { status, body } = await call('GET', '/v1/host/policy', { headers });
      if (status !== 200) return null;
      return (await openHostPolicy(body, { aud: point, keys: answer.signingKeys, floor: held ?? null })).policy;
    },
    report: (more) => call('POST', '/v1/host/report', { body: JSON.stringify({ ...reportAt(Date.now()), ...more }) }),
  };
}

function inForce({ revision, hash }: CompiledPolicy): Partial<HostReport> {
  return { applied: { revision, hash }, state: 'applied', mode: 'enforce' };
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 1_000; attempt += 1) {
    if (await holds()) return;
    await pause(20);
  }
  throw new Error(`it never came to pass: ${what}`);
}

t.test('one host enrols and enforces; one that never called is unreachable, and holds nobody up', async (t) => {
  const place = await placeFor(t);
  await place.write('10.30.0.0/16');
  const running = await place.start();
  const { service, point } = running;
  const host = await enrol(place, running, 'host-1');
  const first = await host.policy();
  if (first === null) throw new Error('the host has no policy');
  t.match(first.objects, [{ name: 'db-1', mode: 'enforce' }]);
  await host.report(inForce(first));
  await until('it is current', () => point('host-1').state === 'current');
  t.match(point('host-1'), {
    kind: 'host',
    appliedRevision: first.revision,
    objects: { enforce: 1, observe: 0 },
    hazards: [],
  });
  t.match(point('host-1').host, { stale: false, report: { mode: 'enforce' } });
  t.match(point('host-2'), {
    state: 'unreachable',
    appliedRevision: null,
    lastError: { code: 'EDW_ERR_POINT_UNREACHABLE' },
    objects: { enforce: 0, observe: 1 },
    hazards: [{ object: 'db-2', code: 'no-management' }],
    host: { heardAtMs: null, stale: false, report: null },
  });
  t.equal(service.status().headline, 'ENFORCING 1 object, NOT ENFORCING at host-2');

  t.test('an edit of policy answers the long poll', async (t) => {
    const next = host.policy(first);
    await place.write('10.30.0.0/16', '10.31.0.0/16');
    const second = await next;
    if (second === null) throw new Error('nothing came');
    t.equal(second.revision, first.revision + 1);
    await host.report(inForce(second));
    await until('it is applied', () => point('host-1').appliedRevision === second.revision);
    await host.report({ ...inForce(second), mode: 'observe' });
    t.match(
      point('host-1'),
      { objects: { enforce: 0, observe: 1 }, hazards: [{ code: 'only-observed' }] },
      'it says what it does',
    );
    await host.report(inForce(second));
  });

  t.test('denials are stored with names, and told with what the host counted', async (t) => {
    const at = new Date().toISOString();
    const epoch = '0123456789abcdef'.repeat(2);
    const shared = { kind: 'denial', windowStart: at, windowEnd: at, object: 'db-1', port: 'tcp/5432' } as const;
    const why = { verdict: 'deny', reason: 'unknown-source', rule: null, nearestRule: null, missed: null } as const;
    const record = { ...shared, ...why, seq: 1, count: 3, source: '10.9.9.9', sourcePort: null, revision: 1 };
    const body = gzipSync(formatDenialBatch({ epoch, records: [record] }));
    const sent = await host.call('POST', '/v1/host/denials', { headers: { 'content-encoding': 'gzip' }, body });
    t.strictSame([sent.status, JSON.parse(sent.body.toString())], [200, { epoch, acknowledged: 1 }]);
    t.match(service.collector.denials({ limit: 1 })[0]?.event, {
      point: 'host-1',
      objectLabels: { app: 'db' },
      count: 3,
    });
    const denials = { ...reportAt(0).denials, denied: 5, sampled: 3, notSampled: 2 };
    const applied = { revision: first.revision + 1, hash: point('host-1').desiredHash ?? '' };
    await host.report({ applied, state: 'applied', mode: 'enforce', denials });
    t.match(point('host-1').denials, { stored: 3, counted: 5 });
  });

  t.test('metrics say what hosts said', async (t) => {
    const text = await (await fetch(`${service.url}/metrics`)).text();
    for (const line of [
      'edgeward_host_stale{point="host-1"} 0',
      'edgeward_host_state{point="host-1",state="applied"} 1',
      'edgeward_host_state{point="host-2",state="applied"} 0',
      'edgeward_host_denials{point="host-1",fate="denied"} 5',
      'edgeward_host_last_report_timestamp_seconds{point="host-2"} 0',
      'edgeward_point_state{point="host-2",state="unreachable"} 1',
    ])
      t.ok(text.includes(`${line}\n`), line);
  });

  t.test('an identity is renewed, and the one before it ends with the first use of the new one', async (t) => {
    const key = hostKey();
    const body = JSON.stringify(renewalOf('host-1', key));
    const renewed = await host.call('POST', '/v1/host/certificate', { body });
    t.equal(renewed.status, 200);
    const next = hostWith(JSON.parse(renewed.body.toString()) as EnrolmentAnswer, key, 'host-1');
    t.equal((await next.report({})).status, 200);
    t.equal((await host.report({})).status, 403);
    t.match(JSON.parse((await host.report({})).body.toString()), { error: { code: 'EDW_ERR_HOST_CERTIFICATE' } });
  });
});

t.test('a service that starts again is believed by its hosts, and gives nothing older', async (t) => {
  const place = await placeFor(t);
  await place.write('10.30.0.0/16');
  const before = await place.start();
  const host = await enrol(place, before, 'host-1');
  await host.policy();
  await place.write('10.30.0.0/16', '10.31.0.0/16');
  await until('the edit is published', () => before.service.status().policy.revision === 2);
  const held = await host.policy();
  if (held === null) throw new Error('the host has no policy');
  t.equal(held.revision, 2);
  await before.stop();
  const after = await place.start();
  await place.write('10.30.0.0/16', '10.31.0.0/16', '10.32.0.0/16');
  const next = await host.policy(held);
  t.equal(next?.revision, 3, 'signed by the same key, and above what the host has');
  t.equal(after.point('host-1').state, 'unreachable', 'it has not said a word to this service');
  await host.report(inForce(held));
  await until('its word is heard', () => after.point('host-1').appliedRevision === 2);
  if (next !== null) await host.report(inForce(next));
  await until('it is current again', () => after.point('host-1').state === 'current');
});
