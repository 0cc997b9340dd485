/** What hosts do and say, as numbers of `/metrics`: each is moved, and read there. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'node:tls';
import t, { type Test } from 'tap';
import { reportAt } from '../fixtures/calling.ts';
import { enrol, placeFor } from '../fixtures/host-service.ts';

const DAY_MS = 86_400_000;

interface Scraped {
  /** Of a name with its labels; null where it is not there. */
  value(name: string): Promise<number | null>;
  /** Until it is that. */
  becomes(name: string, value: number): Promise<void>;
}

function scraping(t: Test, url: string | undefined): Scraped {
  const value = async (name: string): Promise<number | null> => {
    const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n');
    const line = lines.find((line) => line.startsWith(`${name} `));
    return line === undefined ? null : Number(line.slice(name.length + 1));
  };
  return {
    value,
    async becomes(name, wanted) {
      for (let look = 0; look < 500 && (await value(name)) !== wanted; look += 1) await pause(20);
      t.equal(await value(name), wanted, name);
    },
  };
}

t.test('what a host reports is what is scraped, from its first report to its next', async (t) => {
  const place = await placeFor(t);
  const running = await place.start();
  const { value, becomes } = scraping(t, running.service.url);
  const gauges = [
    'repairs_total',
    'spool_records',
    'netlink_drops_total',
    'clock_skew_seconds',
    'certificate_ends_timestamp_seconds',
  ];
  const of = (gauge: string, point = 'host-1'): string => `edgeward_host_${gauge}{point="${point}"}`;
  for (const gauge of gauges) t.equal(await value(of(gauge)), null, `${gauge}: nothing is known yet`);
  const host = await enrol(place, running, 'host-1');
  const { denials } = reportAt(0);
  for (const [n, skewMs] of [
    [3, DAY_MS],
    [5, -DAY_MS],
  ] as const) {
    const certificateEnds = new Date(Date.UTC(2027, n)).toISOString();
    const clock = new Date(Date.now() + skewMs).toISOString();
    const said = { denials: { ...denials, pending: n + 1, netlinkDrops: n + 2 }, certificateEnds, clock };
    const { status } = await host.report({ ...said, repairs: { count: n, last: null } });
    t.equal(status, 200);
    await becomes(of('repairs_total'), n);
    await becomes(of('spool_records'), n + 1);
    await becomes(of('netlink_drops_total'), n + 2);
    await becomes(of('certificate_ends_timestamp_seconds'), Date.parse(certificateEnds) / 1000);
    const hoursAhead = ((await value(of('clock_skew_seconds'))) ?? Number.NaN) / 3_600;
    // The way of a report is part of it, and an hour is more than any test may take.
    t.ok(Math.abs(hoursAhead - skewMs / 3_600_000) < 1, `${hoursAhead} hours ahead`);
  }
  for (const gauge of gauges) t.equal(await value(of(gauge, 'host-2')), null, `${gauge}: of nobody else`);
});

t.test('connections, handshakes that failed and refusals are counted', async (t) => {
  const place = await placeFor(t);
  const running = await place.start();
  const { value, becomes } = scraping(t, running.service.url);
  const refused = (code: string): string => `edgeward_host_requests_refused_total{code="${code}"}`;
  const codes = ['EDW_ERR_HOST_REPORT', 'EDW_ERR_HOST_NO_POLICY', 'EDW_ERR_HOST_CERTIFICATE'];
  t.strictSame(
    [await value('edgeward_host_connections'), await value('edgeward_host_handshakes_failed_total')],
    [0, 0],
  );
  for (const code of codes) t.equal(await value(refused(code)), null, code);
  const host = await enrol(place, running, 'host-1');
  const [url = ''] = host.answer.service;
  const { hostname, port } = new URL(url);
  const ca = await readFile(join(place.folder, 'state', 'hosts', 'authority', 'authority.pem'), 'utf8');
  const at = { host: hostname, port: Number(port), ca };

  for (const n of [1, 2]) {
    // A certificate is asked for, and this one has none: told with its first words, in TLS 1.3.
    const stranger = connect(at);
    const closed = new Promise<void>((resolve) => stranger.once('close', () => resolve()));
    stranger.on('error', () => {}).resume();
    await closed;
    await becomes('edgeward_host_handshakes_failed_total', n);
  }
  await becomes('edgeward_host_connections', 0);
  const held = [1, 2].map(() => connect({ ...at, cert: host.answer.certificate, key: host.key.privatePem }));
  t.teardown(() => held.forEach((socket) => void socket.destroy()));
  for (const socket of held) socket.on('error', () => {}).resume();
  await becomes('edgeward_host_connections', 2);
  held[0]?.end();
  await becomes('edgeward_host_connections', 1);

  for (const n of [1, 2]) {
    t.equal((await host.call('POST', '/v1/host/report', { body: '{}' })).status, 400);
    t.equal((await host.call('GET', '/v1/host/policy')).status, 404);
    await becomes(refused('EDW_ERR_HOST_REPORT'), n);
    await becomes(refused('EDW_ERR_HOST_NO_POLICY'), n);
  }
  const again = await enrol(place, running, 'host-1');
  t.equal((await again.call('POST', '/v1/host/report', { body: '{}' })).status, 400);
  t.equal((await host.report({})).status, 403, 'who it was before is nobody any more');
  await becomes(refused('EDW_ERR_HOST_CERTIFICATE'), 1);
  await becomes(refused('EDW_ERR_HOST_REPORT'), 3);
});
