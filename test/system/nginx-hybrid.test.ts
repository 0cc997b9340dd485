/** The service and an NGINX in mode hybrid: snapshots come by themselves, changes don't wait for them, and the status says what is at hand. */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Edge, requireNginx, startEdge } from '@edgeward/test/kit';
import t from 'tap';
import { preparePlace, type RunningService, startAt } from './running-service.ts';
import { ask, crm, dev, site, workload } from './site.ts';
import { eventually, until } from './waiting.ts';

await requireNginx(t);

t.test('a service with mode hybrid', async (t) => {
  const edge = await startEdge(t, { hybrid: { cachedCheck: false } });
  const place = await preparePlace(t, { edges: { 'edge-1': edge }, files: site });
  await inHybrid(place.configFile, edge);
  const it = await startAt(t, place);
  const snapshot = async (): Promise<Awaited<ReturnType<typeof point>>['snapshot']> => (await point(it)).snapshot;

  await t.test('takes a snapshot at a quiet moment, and NGINX then lets in by itself', async (t) => {
    await until('a snapshot', async () => (await snapshot())?.reloads === 1);
    const before = await asked(edge);
    t.strictSame([(await ask(edge.port, crm)).status, (await ask(edge.port, dev)).status], [200, 403]);
    t.equal(await asked(edge), before, 'the module was not asked about who is allowed');
    t.match(await snapshot(), { generation: String, takenAt: Number, reloads: 1, failures: 0, lastError: null });
    const metrics = await it.metrics();
    const value = (name: string): number | undefined => metrics.find((one) => one.name === name)?.value;
    t.equal(value('edgeward_nginx_snapshot_reloads_total'), 1);
    t.equal(value('edgeward_nginx_snapshot_slow_objects'), 0);
    t.ok((value('edgeward_nginx_snapshot_taken_timestamp_seconds') ?? 0) > 1_700_000_000);
  });

  await t.test('a change is in force before the next one, which then follows', async (t) => {
    await it.write('crm-1.yaml', workload('crm-1', crm, 'dev'));
    await until('denied', async () => (await ask(edge.port, crm)).status === 403);
    await until('a new snapshot', async () => (await snapshot())?.reloads === 2);
    t.equal((await ask(edge.port, crm)).status, 403);
  });

  await t.test('each object is proven, through the module', async (t) => {
    const proof = await eventually('proven', async () => {
      const [one] = (await point(it)).proofs;
      return one?.state === 'proven' ? one : null;
    });
    t.match(proof, { object: 'order-front' });
  });

  await t.test('what stands in the way is told, and holds nothing up', async (t) => {
    const text = await readFile(edge.paths.configFile, 'utf8');
    await writeFile(edge.paths.configFile, `${text}nonsense;`);
    await it.write('crm-1.yaml', workload('crm-1', crm, 'prod'));
    await until('told', async () => (await snapshot())?.lastError?.code === 'EDW_ERR_NGINX_CONFIG');
    t.equal((await ask(edge.port, crm)).status, 200, 'the change is in force');
    await writeFile(edge.paths.configFile, text);
  });
});

async function point(it: RunningService) {
  const [found] = (await it.status()).points;
  if (found === undefined) throw new Error('the service has no point');
  return found;
}

async function inHybrid(configFile: string, edge: Edge): Promise<void> {
  const config = JSON.parse(await readFile(configFile, 'utf8'));
  const { folder, configFile: conf, snapshots, flags } = edge.paths;
  Object.assign(config.points['edge-1'], {
    mode: 'hybrid',
    process: {
      test: [...edge.binary.command, '-t', '-q', '-e', 'stderr', '-p', folder, '-c', conf],
      pidFile: join(folder, 'nginx.pid'),
    },
    snapshot: { folder: snapshots, flags, quietSeconds: 1, minSecondsBetween: 1, reloadsPerHour: 3600 },
    proof: { objects: { 'order-front': { url: edge.url } } },
  });
  await writeFile(configFile, JSON.stringify(config));
}

/** Requests that the module allowed. */
async function asked(edge: Edge): Promise<number> {
  const { counts } = (await edge.push({ call: 'counts' })).body as { counts: [string, number][] };
  return counts.filter(([key]) => key.includes('\tallow\t')).reduce((sum, [, total]) => sum + total, 0);
}
