/**
 * What an operator would watch, small and real: a service with an NGINX whose log comes by a forwarder, one object enforced and
 * one observed, a sink, and a Prometheus that scrapes. Denials of every kind are made before the first scrape and after it, so that what a query
 * leaves out of either shows.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DenyEvent } from '@edgeward/audit-collector';
import { readForwarderConfig, startForwarder } from '@edgeward/deny-forwarder';
import { createLifecycle, createLogger } from '@edgeward/runtime';
import {
  type Edge,
  freePort,
  type LokiStandIn,
  type Prometheus,
  startEdge,
  startLokiStandIn,
  startPrometheus,
  testCertificates,
} from '@edgeward/test/kit';
import type { Test } from 'tap';
import { preparePlace, type RunningService, startAt } from '../../test/system/running-service.ts';
import { ask, crm, dev, site, stranger, virtualServer, workload } from '../../test/system/site.ts';
import { until } from '../../test/system/waiting.ts';
import { serveDocumentedScrape } from './documented-scrape.ts';
import type { Span } from './interpolation.ts';

export interface Stage {
  edge: Edge;
  service: RunningService;
  /** Of the forwarder beside the NGINX: HOST:PORT of its metrics. */
  forwarder: string;
  prometheus: Prometheus;
  loki: LokiStandIn;
  /** Everything in the ledger, oldest first. */
  denials: (DenyEvent & { id: number })[];
  /** From before the first denial until now. */
  span(): Span;
}

export interface StageOptions {
  /** What else stands under `denials` in the service's configuration. */
  denials?: object;
}

/** Jobs of the Prometheus: the real service, and a scrape that has every metric there is. */
export const jobs = { real: 'edgeward', documented: 'documented' } as const;

/** Of no virtual server: what the point calls it. */
export const oddName = "o'brien";

/** Enough of those who may that one of them can lose it and nothing is held. */
const more = {
  'billing.yaml': virtualServer('billing-front', 'edge-1', 'observe'),
  'crm-3.yaml': workload('crm-3', '127.0.1.3', 'prod'),
  'crm-4.yaml': workload('crm-4', '127.0.1.4', 'prod'),
};

const denyRule = `kind: Policy
name: block
rules:
  - id: no-strangers
    from: [{ cidr: ${stranger}/32 }]
    to: "app == 'shop'"
    ports: [tcp/443]
    action: deny
`;

const alwaysFires = JSON.stringify({
  groups: [{ name: 'stage', rules: [{ alert: 'EdgewardStage', expr: 'vector(1)', labels: { severity: 'page' } }] }],
});

export async function openStage(t: Test, options: StageOptions = {}): Promise<Stage> {
  const startedMs = Date.now();
  const loki = await startLokiStandIn();
  t.teardown(() => loki.close());
  const edge = await startEdge(t, { servers: ['order-front', 'billing-front', oddName].map((name) => ({ name })) });
  const place = await preparePlace(t, {
    edges: { 'edge-1': edge },
    files: { ...site, ...more },
  });
  const config = JSON.parse(await readFile(place.configFile, 'utf8')) as {
    points: Record<string, { denyLog?: string }>;
  };
  const denials = { sinks: { loki: { url: loki.url } }, ...options.denials };
  const proved = Object.entries(edge.ports).filter(([name]) => name !== oddName);
  const objects = Object.fromEntries(proved.map(([name, port]) => [name, { url: `http://127.0.0.1:${port}` }]));
  const link = await linkIn(place.folder);
  const { denyLog: _, ...point } = config.points['edge-1'] ?? {};
  const points = { 'edge-1': { ...point, forwarded: true, proof: { everySeconds: 5, objects } } };
  await writeFile(place.configFile, JSON.stringify({ ...config, points, denials: { ...denials, ...link.service } }));
  const service = await startAt(t, place);
  await until('the policy is in force', async () => (await service.status()).points[0]?.state === 'current');

  const forwarder = await startBeside(t, { denyLog: edge.paths.denyLog, ...link.forwarder }, place.folder);

  // Their series are there at the first scrape, and have begun above zero.
  await denied(edge, 'order-front', [dev, dev, dev, stranger]);
  await denied(edge, 'billing-front', [stranger, stranger]);
  await denied(edge, oddName, [dev]);
  await stored(service, 7);

  const rules = `${place.folder}/stage.rules.yaml`;
  await writeFile(rules, alwaysFires);
  const prometheus = await startPrometheus(t, {
    targets: [
      { job: jobs.real, address: new URL(service.url).host },
      // As a collector that has the same denials: none is to count twice.
      { job: jobs.real, address: new URL(service.url).host, labels: { instance: 'collector' } },
      { job: jobs.real, address: forwarder },
      { job: jobs.documented, address: await serveDocumentedScrape(t) },
    ],
    rules: [rules],
  });
  await prometheus.until(`sum(edgeward_ledger_denials_total{job="${jobs.real}"})`, ([sum]) => sum?.value === 2 * 7);
  await service.write('crm-1.yaml', `${workload('crm-1', crm, 'dev')}---\n${denyRule}`);
  await until('revision 2 is in force', async () => (await service.status()).points[0]?.appliedRevision === 2);
  // One more of a kind that there was, the first of a new one, and one of whom nobody had denied.
  await denied(edge, 'order-front', [dev, stranger, crm]);
  const all = await stored(service, 10);
  await scraped(prometheus, all.length);
  const span = (): Span => ({ fromMs: startedMs - 60_000, toMs: Date.now(), stepMs: 1000, scrapeMs: 1000 });
  return { edge, service, forwarder, prometheus, loki, denials: all, span };
}

interface Link {
  /** Under `denials`. */
  service: object;
  forwarder: object;
}

/** Between the NGINX's machine and the service, by certificates of one authority. */
async function linkIn(folder: string): Promise<Link> {
  const certificates = await testCertificates(join(folder, 'certificates'));
  const [server, point] = [await certificates.server(), await certificates.point('edge-1')];
  const address = `127.0.0.1:${await freePort()}`;
  const { certFile, keyFile } = server;
  return {
    service: { listen: { listen: address, certFile, keyFile, clientCaFile: certificates.caFile } },
    forwarder: {
      spoolDir: 'forwarder-spool',
      collector: {
        url: `https://${address}`,
        ...{ caFile: point.caFile, certFile: point.certFile, keyFile: point.keyFile },
      },
      metrics: { listen: '127.0.0.1:0' },
    },
  };
}

async function startBeside(t: Test, value: object, folder: string): Promise<string> {
  const config = readForwarderConfig({ value, file: join(folder, 'edgeward-forwarder.yaml') });
  const logger = createLogger({ level: 'silent' });
  const lifecycle = createLifecycle(logger);
  lifecycle.release();
  t.teardown(() => lifecycle.shutdown('test'));
  return new URL((await startForwarder({ config, version: '0.0.0', logger, lifecycle })).url).host;
}

async function denied(edge: Edge, object: string, sources: readonly string[]): Promise<void> {
  const port = edge.ports[object];
  if (port === undefined) throw new Error(`no server is called ${object}`);
  for (const source of sources) await ask(port, source, '/v1/orders');
}

async function stored(service: RunningService, count: number): Promise<Stage['denials']> {
  const all = async (): Promise<Stage['denials']> => (await service.denials('limit=1000')).denials;
  await until(`${count} denials are stored`, async () => (await all()).length === count);
  return all();
}

/** Points' own counters and the ledger's, as they are in the end; and what they were after the change of policy. */
async function scraped(prometheus: Prometheus, count: number): Promise<void> {
  const real = `{job="${jobs.real}", instance!="collector"}`;
  const sums = ['edgeward_ledger_denials_total', 'edgeward_observed_denials_total', 'edgeward_sink_sent_total'];
  await prometheus.until(`sum(edgeward_forwarder_records_acknowledged_total${real})`, ([sum]) => sum?.value === count);
  for (const name of sums) await prometheus.until(`sum(${name}${real})`, ([sum]) => sum?.value === count);
  await prometheus.until(
    `sum(edgeward_proof_state${real.replace('}', ', state="proven"}')})`,
    ([sum]) => sum?.value === 2,
  );
  // A graph of rates begins some scrapes after its series.
  const newest = real.replace('}', ', rule="no-strangers"}');
  await prometheus.until(
    `count_over_time(edgeward_denials_total${newest}[1m])`,
    ([scrapes]) => (scrapes?.value ?? 0) >= 6,
  );
}
