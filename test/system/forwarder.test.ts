/**
 * An NGINX whose deny log is on another machine than the service: real NGINX, `edgeward forward` and the service in processes of
 * their own, mutual TLS between them. Either is killed at any moment, the log is rotated, and in the end what NGINX counted is
 * what is stored.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { denialsIn, freePort, requireNginx, startEdge, testCertificates } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { childEnvironment } from '../kit/child-environment.ts';
import { edgewardProgram } from '../kit/program.ts';
import { runs, seed } from '../parity/random-runs.ts';
import { type KillableService, killableService } from './killable-service.ts';
import { preparePlace, type ServicePlace } from './running-service.ts';
import { ask, crm, dev, site, stranger } from './site.ts';
import { eventually, until } from './waiting.ts';

await requireNginx(t);
const kills = runs(3);
const start = seed();

/** A number from 0 up to, but not including, `below`; the same for the same seed (mulberry32). */
function dice(): (below: number) => number {
  let state = start;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

interface Scene {
  place: ServicePlace;
  /** What `edgeward forward` reads. */
  forwarderFile: string;
  metricsUrl: string;
}

/** The configuration of both ends, with certificates of one authority. */
async function prepare(t: Test, edge: Awaited<ReturnType<typeof startEdge>>): Promise<Scene> {
  const place = await preparePlace(t, { edges: { 'edge-1': edge }, files: site });
  const certificates = await testCertificates(join(place.folder, 'certificates'));
  const [server, point] = [await certificates.server(), await certificates.point('edge-1')];
  const [port, metricsPort] = [await freePort(), await freePort()];
  const config = JSON.parse(await readFile(place.configFile, 'utf8'));
  config.points['edge-1'].forwarded = true;
  delete config.points['edge-1'].denyLog;
  const { certFile, keyFile } = server;
  const listen = { listen: `127.0.0.1:${port}`, certFile, keyFile, clientCaFile: certificates.caFile };
  await writeFile(place.configFile, JSON.stringify({ ...config, denials: { listen } }));
  const forwarderFile = join(place.folder, 'edgeward-forwarder.yaml');
  const forwarder = {
    ...{ denyLog: edge.paths.denyLog, spoolDir: 'spool', metrics: { listen: `127.0.0.1:${metricsPort}` } },
    collector: {
      url: `https://127.0.0.1:${port}`,
      ...{ caFile: point.caFile, certFile: point.certFile, keyFile: point.keyFile },
    },
  };
  await writeFile(forwarderFile, JSON.stringify(forwarder));
  return { place, forwarderFile, metricsUrl: `http://127.0.0.1:${metricsPort}/metrics` };
}

interface Forwarder {
  start(): void;
  kill(): Promise<void>;
}

function killableForwarder(t: Test, { forwarderFile }: Scene): Forwarder {
  let child: ChildProcess | null = null;
  const kill = async (): Promise<void> => {
    const running = child;
    child = null;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return;
    running.kill('SIGKILL');
    await once(running, 'exit');
  };
  t.teardown(kill);
  return {
    kill,
    start() {
      const args = ['--no-warnings', ...edgewardProgram, 'forward', '--config', forwarderFile];
      child = spawn(process.execPath, args, { env: childEnvironment(), stdio: 'ignore' });
    },
  };
}

async function storedRefs(service: KillableService): Promise<(string | null)[]> {
  const refs: (string | null)[] = [];
  for (let after = 0; ; ) {
    const page = (await service.get(`/v1/denials?after=${after}&limit=10000`)) as Page;
    const last = page.denials.at(-1);
    if (last === undefined) return refs.sort();
    refs.push(...page.denials.map(({ ref }) => ref));
    after = last.id;
  }
}

interface Page {
  denials: { id: number; ref: string | null }[];
}

t.test(`${kills} kills of forwarder and service lose and double nothing (EDGEWARD_SEED=${start})`, async (t) => {
  const draw = dice();
  const edge = await startEdge(t);
  const scene = await prepare(t, edge);
  const service = killableService(t, scene.place);
  const forwarder = killableForwarder(t, scene);
  await service.start();
  await until('the policy is in force', async () => (await service.status()).points[0]?.state === 'current');
  t.match((await service.status()).points[0], { forwarder: { heardAtMs: null, stale: true, waiting: null } });
  forwarder.start();

  const seen: (string | null)[] = [];
  const over = new AbortController();
  const traffic = (async () => {
    while (!over.signal.aborted) {
      const { ref } = await ask(edge.port, draw(4) === 0 ? dev : stranger, `/${seen.length}`);
      seen.push(ref);
      await sleep(4);
    }
  })();
  const logs = [edge.paths.denyLog];
  for (let turn = 0; turn < kills; turn += 1) {
    await sleep(draw(500));
    if (turn % 2 === 1) {
      const rotated = `${edge.paths.denyLog}.${turn}`;
      await rename(edge.paths.denyLog, rotated);
      logs.push(rotated);
    }
    if (draw(2) === 0) {
      await service.kill();
      await sleep(draw(300));
      await service.start();
    } else {
      await forwarder.kill();
      await sleep(draw(300));
      forwarder.start();
    }
  }
  over.abort();
  await traffic;
  const written = (await Promise.all(logs.map(denialsIn))).flat();
  const truth = written.map(({ ref }) => ref).sort();
  t.strictSame(truth, seen.toSorted(), 'NGINX wrote a line for each 403');
  const stored = await eventually('all is stored', async () => {
    const refs = await storedRefs(service);
    return refs.length >= truth.length ? refs : null;
  });
  t.strictSame(stored, truth, 'each once, and nothing else');

  t.test('a denial has the labels that the service knows, and the status says how the forwarder is', async (t) => {
    const { ref } = await ask(edge.port, dev, '/v1/orders');
    const why = await eventually('the denial is stored', () => service.get(`/v1/why/${ref}`).catch(() => null));
    t.match(why, { event: { point: 'edge-1', sourceWorkloads: ['crm-2'], sourceLabels: { env: 'dev' } } });
    t.equal((await ask(edge.port, crm)).status, 200);
    const denied = truth.length + 1;
    const point = await eventually('the counters meet', async () => {
      const [point] = (await service.status()).points;
      return point?.denials.counted === denied && point.denials.stored === denied ? point : null;
    });
    t.match(point, { logError: null, forwarder: { stale: false, error: null, waiting: { shed: 0 } } });
    const text = await (await fetch(scene.metricsUrl)).text();
    t.match(text, /^edgeward_forwarder_shed_denials_total 0$/m);
  });
});
