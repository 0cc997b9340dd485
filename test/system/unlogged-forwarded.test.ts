/**
 * An NGINX on another machine counted more than its log has: a gap at the service, as soon as its forwarder says that nothing
 * waits there. While it has not said so, nothing is missing: it waits.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ForwarderConfig, readForwarderConfig, startForwarder } from '@edgeward/deny-forwarder';
import { createLifecycle, createLogger } from '@edgeward/runtime';
import { type Edge, freePort, requireNginx, startEdge, testCertificates } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { preparePlace, type RunningService, startAt } from './running-service.ts';
import { ask, site, stranger } from './site.ts';
import { until } from './waiting.ts';

await requireNginx(t);

/** A service, and what a forwarder of its point would read. */
async function startApart(t: Test, edge: Edge): Promise<{ it: RunningService; forwarder: ForwarderConfig }> {
  const place = await preparePlace(t, { edges: { 'edge-1': edge }, files: site });
  const certificates = await testCertificates(join(place.folder, 'certificates'));
  const [server, point] = [await certificates.server(), await certificates.point('edge-1')];
  const address = `127.0.0.1:${await freePort()}`;
  const config = JSON.parse(await readFile(place.configFile, 'utf8'));
  config.points['edge-1'].forwarded = true;
  delete config.points['edge-1'].denyLog;
  const listen = {
    ...{ listen: address, certFile: server.certFile, keyFile: server.keyFile },
    clientCaFile: certificates.caFile,
  };
  await writeFile(place.configFile, JSON.stringify({ ...config, denials: { listen } }));
  const value = {
    ...{ denyLog: edge.paths.denyLog, spoolDir: 'spool', metrics: { listen: '127.0.0.1:0' } },
    collector: {
      url: `https://${address}`,
      ...{ caFile: point.caFile, certFile: point.certFile, keyFile: point.keyFile },
    },
  };
  const forwarder = readForwarderConfig({ value, file: join(place.folder, 'edgeward-forwarder.yaml') });
  return { it: await startAt(t, place), forwarder };
}

t.test(
  'what is in no line of an NGINX elsewhere waits until its forwarder has sent all, and is a gap then',
  async (t) => {
    const edge = await startEdge(t);
    const { it, forwarder } = await startApart(t, edge);
    const books = (): Record<string, number | undefined> => {
      const account = it.service.collector.accounts().find(({ point }) => point === 'edge-1');
      const { observed, stored, pending, gaps } = account ?? {};
      return { observed, stored, pending, unlogged: gaps?.get('unlogged') ?? 0 };
    };
    await until('the policy is in force', async () => (await it.status()).points[0]?.state === 'current');
    for (let denied = 0; denied < 5; denied += 1) await ask(edge.port, stranger);
    await until('the counter was read', () => books().observed === 5);
    t.strictSame(books(), { observed: 5, stored: 0, pending: 5, unlogged: 0 });

    const lines = (await readFile(edge.paths.denyLog, 'utf8')).split('\n');
    await writeFile(edge.paths.denyLog, lines.slice(2).join('\n'));
    const logger = createLogger({ level: 'silent' });
    const lifecycle = createLifecycle(logger);
    lifecycle.release();
    t.teardown(() => lifecycle.shutdown('test'));
    await startForwarder({ config: forwarder, version: '0.0.0', logger, lifecycle, idleMs: 500 });
    await until('two are a gap', () => books().unlogged === 2);
    t.strictSame(books(), { observed: 5, stored: 3, pending: 0, unlogged: 2 });
    t.match((await it.status()).points[0]?.denials, { counted: 5, stored: 3, uncovered: { unlogged: 2 } });
  },
);
