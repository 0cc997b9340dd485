/**
 * The rules of Prometheus on real daemons: what they ask for is there, they can be evaluated, and alerts fire for what
 * happens at a real NGINX. That each fires in time and not too early is tried by promtool, beside the rules.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram } from '@edgeward/debian-packages';
import { readForwarderConfig, startForwarder } from '@edgeward/deny-forwarder';
import { createLifecycle, createLogger } from '@edgeward/runtime';
import { requireNginx, requirePrometheus, startEdge, startPrometheus, testCertificates } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { openServedStore } from '../../central-store/test/serving-kit.ts';
import { loadCollectorConfig } from '../../cli/src/collect/collector-config.ts';
import { startCollector } from '../../cli/src/collect/collector-service.ts';
import { preparePlace, type RunningService, startAt } from './running-service.ts';
import { ask, dev, site, stranger, virtualServer, workload } from './site.ts';
import { until } from './waiting.ts';

await requireNginx(t);
const { promtool } = await requirePrometheus(t);

const rules = fileURLToPath(new URL('../../grafana/alerts/edgeward.rules.yaml', import.meta.url));
const silent = createLogger({ level: 'silent' });

/** A service with everything that it can be configured with, and a point that nobody answers for. */
async function startFull(t: Test): Promise<{ it: RunningService; port: number; kill(): Promise<void> }> {
  const edge = await startEdge(t);
  const files = {
    ...site,
    'crm-2.yaml': workload('crm-2', dev, 'prod'),
    'front.yaml': virtualServer('order-front', 'edge-1').replace('{ app: shop }', '{ app: shop, env: prod }'),
  };
  const place = await preparePlace(t, { edges: { 'edge-1': edge }, files });
  const config = JSON.parse(await readFile(place.configFile, 'utf8')) as Record<string, unknown>;
  const hosts = { listen: '127.0.0.1:0', enrolListen: '127.0.0.1:0', names: ['127.0.0.1'], points: { 'host-1': {} } };
  const denials = { sinks: { loki: { url: 'http://127.0.0.1:9' } } };
  await writeFile(place.configFile, JSON.stringify({ ...config, hosts, denials }));
  const it = await startAt(t, place);
  await until('the policy is in force', async () => (await it.status()).points[0]?.state === 'current');
  return { it, port: edge.port, kill: () => edge.kill() };
}

async function startShared(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-shared-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const { server, caFile } = await testCertificates(join(folder, 'certificates'));
  const { certFile, keyFile } = await server();
  const file = join(folder, 'collector.yaml');
  const config = {
    stateDir: join(folder, 'state'),
    listen: '127.0.0.1:0',
    tls: { certFile, keyFile, clientCaFile: caFile },
    senders: { 'site-1': { points: ['edge-1'] } },
    api: { listen: '127.0.0.1:0' },
  };
  await writeFile(file, JSON.stringify(config));
  const lifecycle = createLifecycle(silent);
  lifecycle.release();
  t.teardown(() => lifecycle.shutdown('test'));
  const options = { config: await loadCollectorConfig({ file }), version: '0.0.0', logger: silent, lifecycle };
  return (await startCollector(options)).apiUrl;
}

/** Beside a log, with nobody to send to. */
async function startBeside(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-beside-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const { point, caFile } = await testCertificates(join(folder, 'certificates'));
  const { certFile, keyFile } = await point('edge-9');
  const value = {
    denyLog: 'deny.log',
    spoolDir: 'spool',
    collector: { url: 'https://127.0.0.1:9', caFile, certFile, keyFile },
    metrics: { listen: '127.0.0.1:0' },
  };
  const config = readForwarderConfig({ value, file: join(folder, 'forwarder.yaml') });
  const lifecycle = createLifecycle(silent);
  lifecycle.release();
  t.teardown(() => lifecycle.shutdown('test'));
  return (await startForwarder({ config, version: '0.0.0', logger: silent, lifecycle })).url;
}

const textOf = async (url: string): Promise<string> => (await fetch(`${url}/metrics`)).text();
const addressOf = (url: string): string => new URL(url).host;

t.test('alerts on real daemons', async (t) => {
  const { it, port, kill } = await startFull(t);
  const store = await openServedStore(t);
  const urls = [it.url, store.store.metricsUrl, await startShared(t), await startBeside(t)];

  t.test('every metric that a rule asks for is in the answer of a daemon', async (t) => {
    const texts = await Promise.all(urls.map(textOf));
    const there = new Set(texts.flatMap((text) => [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name)));
    const text = (await readFile(rules, 'utf8')).replaceAll(/^ *#.*$/gm, '');
    const asked = [...text.matchAll(/(?<![:\w])(edgeward_[a-z_]+)\b(?![:\w])/g)].map(([, name]) => name ?? '');
    t.ok(new Set(asked).size > 30, 'the rules were read');
    t.strictSame([...new Set(asked)].filter((name) => !there.has(name)).sort(), []);
  });

  t.test('names, types and help are as Prometheus wants them', async (t) => {
    const [program = '', ...args] = promtool;
    for (const url of urls) {
      // What prom-client says of the process has names of its own.
      const ours = (await textOf(url)).split('\n').filter((line) => /^(# [A-Z]+ )?edgeward_/.test(line));
      const input = `${ours.join('\n')}\n`;
      const { code, stdout, stderr } = await runProgram(program, [...args, 'check', 'metrics'], {
        timeoutMs: 20_000,
        input,
      });
      t.strictSame([code, `${stdout}${stderr}`], [0, '']);
    }
  });

  const targets = urls.map((url) => ({ job: 'edgeward', address: addressOf(url) }));
  const prometheus = await startPrometheus(t, { targets, rules: [rules] });
  const firing = (name: string): Promise<unknown> =>
    prometheus.until(`ALERTS{alertname="${name}", alertstate="firing"}`, (found) => found.length > 0);

  t.test('a flow that a rule allowed is denied: the alert names the revision', async (t) => {
    t.equal((await ask(port, dev)).status, 200);
    await it.write('crm-2.yaml', workload('crm-2', dev, 'dev'));
    await until('crm-2 is out', async () => (await ask(port, dev)).status === 403);
    await firing('EdgewardNewlyDenied');
    const alert = (await prometheus.alerts()).find(({ name }) => name === 'EdgewardNewlyDenied');
    t.match(alert, {
      labels: { point: 'edge-1', object: 'order-front', severity: 'critical' },
      annotations: { summary: 'A flow to order-front that a rule allowed last week is denied since revision 2' },
    });
  });

  t.test('somebody who was never denied there before is', async (t) => {
    await ask(port, stranger);
    await firing('EdgewardNewEdgeIntoProduction');
    // Of a scrape that failed in between nothing is there for a moment.
    const edges = 'sum(edgeward_new_edges_total{object="order-front", env="prod"})';
    t.match(await prometheus.until(edges, ([sum]) => (sum?.value ?? 0) >= 1), [{}]);
  });

  t.test('the books of the point close, by what Prometheus has of them', async (t) => {
    const left = `sum by (point) (edgeward_observed_denials_total{point="edge-1"})
      - sum by (point) (edgeward_ledger_denials_total) - sum by (point) (edgeward_gap_denials)
      - sum by (point) (edgeward_pending_denials)`;
    const denied = (await it.denials('sinceMs=0&limit=1000')).denials.length;
    await prometheus.until(
      'edgeward_observed_denials_total{point="edge-1"}',
      ([first]) => (first?.value ?? 0) >= denied,
    );
    t.match(await prometheus.until(left, ([first]) => first?.value === 0), [{ labels: { point: 'edge-1' }, value: 0 }]);
  });

  t.test('a point that went away is noticed, and no rule fails', async (t) => {
    await kill();
    const pending = (): Promise<unknown> =>
      prometheus.until('ALERTS{alertname="EdgewardPointUnreachable", point="edge-1"}', (found) => found.length > 0);
    await pending();
    const answer = await (await fetch(`${prometheus.url}/api/v1/rules`)).json();
    const { groups } = (answer as { data: { groups: { rules: { name: string; health: string }[] }[] } }).data;
    const evaluated = groups.flatMap((group) => group.rules);
    t.ok(evaluated.length > 35);
    t.strictSame(
      evaluated.filter(({ health }) => health !== 'ok'),
      [],
    );
  });
});
