/**
 * `kill -9` of any part at any moment, with requests running and policy being edited. Afterwards every denial that NGINX
 * wrote down is in the ledger once, what it counted and did not write is a gap, nobody was let in who never may, and
 * everything is as the policy says.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Edge, requireNginx, startEdge } from '@edgeward/test/kit';
import t from 'tap';
import { runs, seed } from '../parity/random-runs.ts';
import { type KillableService, killableService } from './killable-service.ts';
import { preparePlace } from './running-service.ts';
import { ask, crm, dev, site, stranger, workload } from './site.ts';
import { startTraffic } from './traffic.ts';
import { eventually, until } from './waiting.ts';

await requireNginx(t);
const kills = runs(8);
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

async function killOneWorker(edge: Edge): Promise<void> {
  const master = Number(await readFile(join(edge.paths.folder, 'nginx.pid'), 'utf8'));
  const children = (await readFile(`/proc/${master}/task/${master}/children`, 'latin1')).split(' ').filter(Boolean);
  if (children[0] !== undefined) process.kill(Number(children[0]), 'SIGKILL');
}

/** Every reference in the ledger, in the order of storing. */
async function storedRefs(service: KillableService): Promise<string[]> {
  const refs: string[] = [];
  let after = 0;
  for (let page = 0; page < 10_000; page += 1) {
    const answer = (await service.get(`/v1/denials?after=${after}&limit=5000`)) as {
      denials: { ref: string }[];
      after: number;
    };
    if (answer.denials.length === 0) break;
    refs.push(...answer.denials.map(({ ref }) => ref));
    after = answer.after;
  }
  return refs;
}

t.setTimeout(400_000 + kills * 10_000);

t.test(`${kills} kills of service, NGINX and workers (EDGEWARD_SEED=${start})`, async (t) => {
  const draw = dice();
  const edge = await startEdge(t);
  const place = await preparePlace(t, { edges: { 'edge-1': edge }, files: site });
  const service = killableService(t, place);
  const edit = (file: string, text: string): Promise<void> => writeFile(join(place.policies, file), text);
  await service.start();
  await until('crm-1 passes', async () => (await ask(edge.port, crm)).status === 200);
  const traffic = startTraffic(edge.port, [crm, dev, stranger]);
  t.teardown(traffic.stop);

  const victims = {
    service: async () => {
      await service.kill();
      await sleep(draw(400));
      await service.start();
    },
    nginx: async () => {
      await edge.kill();
      await sleep(draw(400));
      await edge.restart();
    },
    both: async () => {
      await Promise.all([service.kill(), edge.kill()]);
      await Promise.all([edge.restart(), service.start()]);
    },
    worker: () => killOneWorker(edge),
  };
  const names = Object.keys(victims) as (keyof typeof victims)[];
  const killed: string[] = [];
  for (let n = 0; n < kills; n += 1) {
    await sleep(draw(800));
    await edit('crm-2.yaml', workload('crm-2', dev, draw(2) === 0 ? 'prod' : 'dev'));
    if (draw(3) === 0) await edit('broken.yaml', draw(2) === 0 ? 'kind: [' : '');
    // Often into the middle of a push, sometimes long after it.
    await sleep(draw(2) === 0 ? draw(150) : draw(1200));
    // Each in its turn first, so that a short run kills all of them.
    const victim = names[n < names.length ? n : draw(names.length)] ?? 'service';
    killed.push(victim);
    await victims[victim]();
  }

  await edit('broken.yaml', '');
  await edit('crm-2.yaml', workload('crm-2', dev, 'dev'));
  await until('dev is out', async () => (await ask(edge.port, dev)).status === 403);
  const status = await eventually('everything is current', async () => {
    const status = await service.status();
    return status.policy.state === 'current' && status.points[0]?.state === 'current' ? status : null;
  });
  t.equal(status.points[0]?.appliedRevision, status.policy.revision);
  t.strictSame(
    [(await ask(edge.port, crm)).status, (await ask(edge.port, dev)).status, (await ask(edge.port, stranger)).status],
    [200, 403, 403],
    'verdicts are what the policy says',
  );
  await traffic.stop();

  t.comment(`killed: ${killed.join(', ')}; ${JSON.stringify(traffic.statuses)}, ${traffic.failures} cut off`);
  t.strictSame(Object.keys(traffic.statuses[stranger] ?? {}), ['403'], 'who never may was never let in');
  t.ok((traffic.statuses[crm]?.[200] ?? 0) > 0 && (traffic.statuses[dev]?.[403] ?? 0) > 0, 'requests were running');

  const written = (await edge.denials()).map(({ ref }) => ref);
  const known = new Set(written);
  t.strictSame(
    traffic.refs.filter((ref) => !known.has(ref)),
    [],
    'every denial that a client saw was written down',
  );
  await until('every line is in the ledger', async () => (await storedRefs(service)).length >= written.length);
  await sleep(300); // One that is stored twice would come now.
  t.strictSame((await storedRefs(service)).toSorted(), written.toSorted(), 'each is there exactly once');
  const { uncovered } = await eventually('the books are closed', async () => {
    const { counted, stored, uncovered } = (await service.status()).points[0]?.denials ?? {};
    return stored === written.length && counted === stored + (uncovered?.unlogged ?? 0) ? { uncovered } : null;
  });
  t.comment(`counted by workers that were killed before they wrote: ${uncovered?.unlogged ?? 0}`);
  t.comment(`${written.length} denials; revision ${status.policy.revision}`);
});
