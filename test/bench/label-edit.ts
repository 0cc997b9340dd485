/**
 * A label changes in a YAML file; when does the running NGINX judge by it? Everything is the product: the watch, the
 * compiler, the push. Meanwhile other sources ask, whose verdict must never change.
 */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, startEdge } from '../kit/index.ts';
import type { Bench, Benchmark, Result } from './benchmark.ts';
import { type Connection, getRequest, openConnection } from './connection.ts';
import { type ServiceProcess, serviceConfigFor, startServiceProcess } from './service-process.ts';
import { ALWAYS_ALLOWED, ALWAYS_DENIED, CRM_FILE, crmWorkloads, MOVED, writeSmallPolicies } from './small-policies.ts';
import { type Spans, spansOf, spanTable } from './spans.ts';
import { fixed, SPREAD_HEAD, spread } from './statistics.ts';
import { startTraffic, type Traffic } from './traffic.ts';

const changes = 100;
/** Not a multiple of any of the service's own intervals, and not constant: a change meets every phase of them. */
const pauseMs = { least: 150, more: 400 };
const askEveryMs = 1;
const patienceMs = 10_000;
const request = getRequest('/v1/orders/7');

type Way = 'rename' | 'in place';

interface Change {
  way: Way;
  tookMs: number;
  spans: Spans;
}

interface Place {
  file: string;
  moved: Connection;
  service: ServiceProcess;
  /** Verdicts of the moved source that were neither the old one before the new, nor the new one after it. */
  flips: number;
}

export const labelEdit: Benchmark = {
  name: 'label-edit',
  measures: `${changes} changes of one label in a YAML file, from the return of the write to the first request that is judged by it`,
  async run(bench) {
    const policies = await mkdtemp(join(tmpdir(), 'edgeward-bench-'));
    bench.teardown(() => rm(policies, { recursive: true, force: true }));
    await writeSmallPolicies(policies);
    const edge = await startEdge(bench, { extra: 'keepalive_requests 10000000;' });
    const service = startServiceProcess(bench, serviceConfigFor(edge, policies, await freePort()));
    await service.event('policy_applied');
    const moved = await openConnection(edge.port, MOVED);
    bench.teardown(async () => moved.close());
    const traffic = await startTraffic(bench, edge.port, request, [
      { source: ALWAYS_ALLOWED, status: 200, connections: 2 },
      { source: ALWAYS_DENIED, status: 403, connections: 2 },
    ]);
    const place = { file: join(policies, CRM_FILE), moved, service, flips: 0 };
    const measured = await measureChanges(bench, place);
    await traffic.stop();
    return resultOf(measured, traffic, place, await service.peakBytes());
  },
};

async function measureChanges(bench: Bench, place: Place): Promise<Change[]> {
  const measured: Change[] = [];
  for (let n = 0; n < changes; n += 1) {
    await restFor(place, pauseMs.least + Math.random() * pauseMs.more, n % 2 === 0 ? 200 : 403);
    // Two of each way in turn, so that both ways allow and deny.
    measured.push(await changeOnce(place, n % 2 === 0 ? 'dev' : 'prod', n % 4 < 2 ? 'rename' : 'in place'));
    if (n % 25 === 24) bench.progress(`${n + 1} of ${changes} changes`);
  }
  return measured;
}

async function changeOnce(place: Place, env: 'prod' | 'dev', way: Way): Promise<Change> {
  const wanted = env === 'prod' ? 200 : 403;
  await write(place.file, crmWorkloads(env), way);
  const [writtenAt, writtenAtMs] = [performance.now(), Date.now()];
  while ((await place.moved.ask(request)) !== wanted) {
    if (performance.now() - writtenAt > patienceMs) throw new Error(`no new verdict within ${patienceMs} ms`);
    await sleep(askEveryMs);
  }
  const tookMs = performance.now() - writtenAt;
  await place.service.event('policy_applied', writtenAtMs);
  return { way, tookMs, spans: spansOf(place.service.events, writtenAtMs, tookMs) };
}

async function write(file: string, text: string, way: Way): Promise<void> {
  if (way === 'in place') return writeFile(file, text);
  const draft = join(file, '../.crm.yaml.new');
  await writeFile(draft, text);
  await rename(draft, file);
}

/** Between two changes the verdict must stand. */
async function restFor(place: Place, ms: number, standing: number): Promise<void> {
  const until = performance.now() + ms;
  while (performance.now() < until) {
    if ((await place.moved.ask(request)) !== standing) place.flips += 1;
    await sleep(10);
  }
}

function resultOf(measured: Change[], traffic: Traffic, place: Place, peakBytes: number): Result {
  const row = (name: string, of: Change[]): string[] => [
    name,
    String(of.length),
    ...spread(of.map((change) => change.tookMs)),
  ];
  const by = (way: Way): Change[] => measured.filter((change) => change.way === way);
  const wrong = traffic.wrong() + place.flips;
  const asked = traffic.asked().toLocaleString('en');
  return {
    state: 'measured',
    tables: [
      {
        head: ['write returned → new verdict, ms', 'changes', ...SPREAD_HEAD],
        rows: [
          row('all', measured),
          row('file replaced by rename', by('rename')),
          row('file written in place', by('in place')),
        ],
      },
      spanTable(measured.map((change) => change.spans)),
    ],
    notes: [
      `Wrong verdicts: ${wrong} of ${asked} requests on 4 other connections and of the changed source between changes.`,
      `Peak memory of the service: ${fixed(peakBytes / 2 ** 20)} MiB.`,
    ],
  };
}
