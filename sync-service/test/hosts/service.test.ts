/** The whole service with hosts in its configuration: enrolment, policy, reports, denials, restarts; all over real TLS. */
import { gzipSync } from 'node:zlib';
import { type EnrolmentAnswer, formatDenialBatch } from '@edgeward/host-agent/protocol';
import t from 'tap';
import { reportAt } from '../fixtures/calling.ts';
import { hostKey, renewalOf } from '../fixtures/enrolling.ts';
import { enrol, hostWith, inForce, placeFor, until } from '../fixtures/host-service.ts';

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

t.test('one host enrols and enforces; one that never called is unreachable, and holds nobody up', async (t) => {
  const place = await placeFor(t);
  await place.write(policiesFor(['10.30.0.0/16']));
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
    await place.write(policiesFor(['10.30.0.0/16', '10.31.0.0/16']));
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
    t.match((await service.collector.denials({ limit: 1 }))[0]?.event, {
      point: 'host-1',
      objectLabels: { app: 'db' },
      count: 3,
    });
    const denials = { ...reportAt(0).denials, denied: 5, sampled: 3, notSampled: 2 };
    const applied = { revision: first.revision + 1, hash: point('host-1').desiredHash ?? '' };
    await host.report({ applied, state: 'applied', mode: 'enforce', denials, outgoing: { tcp: 7, udp: 2, other: 0 } });
    t.match(point('host-1').denials, { stored: 3, counted: 5 });
  });

  t.test('metrics say what hosts said', async (t) => {
    const text = await (await fetch(`${service.url}/metrics`)).text();
    for (const line of [
      'edgeward_host_stale{point="host-1"} 0',
      'edgeward_host_state{point="host-1",state="applied"} 1',
      'edgeward_host_state{point="host-2",state="applied"} 0',
      'edgeward_observed_denials_total{point="host-1"} 5',
      'edgeward_host_outgoing_total{point="host-1",protocol="tcp"} 7',
      'edgeward_host_outgoing_total{point="host-1",protocol="other"} 0',
      'edgeward_host_last_report_timestamp_seconds{point="host-2"} 0',
      'edgeward_point_state{point="host-2",state="unreachable"} 1',
    ])
      t.ok(text.includes(`${line}\n`), line);
    t.notOk(text.includes('edgeward_host_outgoing_total{point="host-2"'), 'nothing of a host that did not tell it');
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
  await place.write(policiesFor(['10.30.0.0/16']));
  const before = await place.start();
  const host = await enrol(place, before, 'host-1');
  await host.policy();
  await place.write(policiesFor(['10.30.0.0/16', '10.31.0.0/16']));
  await until('the edit is published', () => before.service.status().policy.revision === 2);
  const held = await host.policy();
  if (held === null) throw new Error('the host has no policy');
  t.equal(held.revision, 2);
  await before.stop();
  const after = await place.start();
  await place.write(policiesFor(['10.30.0.0/16', '10.31.0.0/16', '10.32.0.0/16']));
  const next = await host.policy(held);
  t.equal(next?.revision, 3, 'signed by the same key, and above what the host has');
  t.equal(after.point('host-1').state, 'unreachable', 'it has not said a word to this service');
  await host.report(inForce(held));
  await until('its word is heard', () => after.point('host-1').appliedRevision === 2);
  if (next !== null) await host.report(inForce(next));
  await until('it is current again', () => after.point('host-1').state === 'current');
});
