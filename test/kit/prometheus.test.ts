/** The kit's Prometheus scrapes, evaluates and answers, and nothing of it is left. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { requirePrometheus, startPrometheus } from './index.ts';

await requirePrometheus(t);

t.test('what a process exposes is scraped, queried and alerted on', async (t) => {
  let boilers = 3;
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
    response.end(`boilers{room="a"} ${boilers}\nboilers{room="b"} 1\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const rule = {
    alert: 'ManyBoilers',
    expr: 'sum(boilers) > 5',
    labels: { severity: 'page' },
    annotations: { summary: '{{ $value }} boilers' },
  };
  const rules = join(
    t.testdir({ 'rules.yaml': JSON.stringify({ groups: [{ name: 'a', rules: [rule] }] }) }),
    'rules.yaml',
  );
  const prometheus = await startPrometheus(t, {
    targets: [{ job: 'house', address, labels: { site: 'x' } }],
    rules: [rules],
  });

  t.match(await prometheus.query('boilers{room="a"}'), [{ labels: { job: 'house', site: 'x', room: 'a' }, value: 3 }]);
  t.strictSame(await prometheus.query('sum by (site) (boilers)'), [{ labels: { site: 'x' }, value: 4 }]);
  t.strictSame(await prometheus.query('1 + 1'), [{ labels: {}, value: 2 }]);
  t.strictSame(await prometheus.query('nothing_of_this_name'), []);
  await t.rejects(prometheus.query('sum('), /400 .*parse error/);
  const nowMs = Date.now();
  const [series] = await prometheus.queryRange('vector(7)', { startMs: nowMs - 2000, endMs: nowMs, stepMs: 1000 });
  t.strictSame(
    series?.points.map(([, value]) => value),
    [7, 7, 7],
  );

  boilers = 6;
  await prometheus.until('ALERTS{alertname="ManyBoilers"}', (alerts) => alerts.length === 1);
  t.match(await prometheus.alerts(), [
    { name: 'ManyBoilers', state: 'firing', labels: { severity: 'page' }, annotations: { summary: '7 boilers' } },
  ]);
});

t.test('nothing of it is left, and rules that are wrong are said', async (t) => {
  const prometheus = await startPrometheus(t, { targets: [] });
  await prometheus.stop();
  await t.rejects(prometheus.query('1'));
  const rules = join(
    t.testdir({ 'rules.yaml': 'groups: [{ name: a, rules: [{ alert: b, expr: "sum(" }] }]' }),
    'rules.yaml',
  );
  await t.rejects(startPrometheus(t, { targets: [], rules: [rules] }), /does not take its rules[\s\S]*rules\.yaml/);
});
