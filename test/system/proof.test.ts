/** Proofs by a running service: an include that somebody deletes is noticed by itself, and no total moves for it. */
import { readFile, writeFile } from 'node:fs/promises';
import { type Edge, requireNginx, startEdge } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { preparePlace, type RunningService, type ServicePlace, startAt, sumOf } from './running-service.ts';
import { ask, crm, site, stranger } from './site.ts';
import { eventually, until } from './waiting.ts';

await requireNginx(t);

type Proof = Awaited<ReturnType<RunningService['status']>>['points'][number]['proofs'][number];

const proofOf = async (it: RunningService): Promise<Proof | null> => (await it.status()).points[0]?.proofs[0] ?? null;

const inState = (it: RunningService, state: Proof['state']): Promise<Proof> =>
  eventually(`the proof is ${state}`, async () => {
    const proof = await proofOf(it);
    return proof?.state === state ? proof : null;
  });

/** The site with the port that NGINX really listens on, which is where the service looks by itself. */
async function placeFor(t: Test, edge: Edge): Promise<ServicePlace> {
  const front = (site['front.yaml'] ?? '').replace('tcp/443', `tcp/${edge.port}`);
  const shop = (site['shop.yaml'] ?? '').replace('tcp/443', `tcp/${edge.port}`);
  const files = { ...site, 'front.yaml': front, 'shop.yaml': shop };
  const place = await preparePlace(t, { edges: { 'edge-1': edge }, files });
  const config = JSON.parse(await readFile(place.configFile, 'utf8')) as { points: Record<string, object> };
  config.points['edge-1'] = { ...config.points['edge-1'], proof: { everySeconds: 1 } };
  await writeFile(place.configFile, JSON.stringify(config));
  return place;
}

t.test('a server that lost its include fails its next proof, also for a service that was down meanwhile', async (t) => {
  const edge = await startEdge(t, { servers: [{ name: 'order-front', port: '""' }] });
  const place = await placeFor(t, edge);
  const first = await startAt(t, place);
  const url = `http://127.0.0.1:${edge.port}`;

  await t.test('it is proven without a word in the configuration, and shown so', async (t) => {
    t.match(await inState(first, 'proven'), { object: 'order-front', flows: ['allow', 'deny'], revision: 1 });
    const metrics = await first.metrics();
    const own = { point: 'edge-1', object: 'order-front' };
    t.equal(sumOf(metrics, 'edgeward_proof_state', { ...own, state: 'proven' }), 1);
    t.equal(sumOf(metrics, 'edgeward_proof_state', own), 1, 'and no other state');
    t.ok((sumOf(metrics, 'edgeward_proof_last_proven_timestamp_seconds', own) ?? 0) > 1_700_000_000);
  });

  await t.test('totals hold what was asked by others, and nothing else', async (t) => {
    const before = (await proofOf(first))?.provenAtMs ?? 0;
    await until('another round was made', async () => ((await proofOf(first))?.provenAtMs ?? 0) > before);
    t.strictSame((await ask(edge.port, crm)).status, 200);
    const { ref } = await ask(edge.port, stranger);
    await until('the denial is stored', async () => (await first.denials(`ref=${ref}`)).denials.length === 1);
    t.equal((await first.denials('sinceMs=0')).denials.length, 1);
    await until('NGINX was asked', async () => sumOf(await first.metrics(), 'edgeward_enforced_denials_total') === 1);
    const { counts } = await edge.point().counts();
    const total = counts.reduce((sum, it) => sum + it.total, 0);
    t.equal(total, 2, 'one passed and one denied');
  });

  await t.test('the include is deleted', async (t) => {
    await edge.configure({ servers: [{ name: 'order-front', protect: false }] });
    await edge.reload();
    const failed = await inState(first, 'failed');
    t.match(failed, { kind: 'not-refused', why: `a request to ${url} that the hook must refuse was answered 200` });
    t.match((await first.status()).headline, /^ENFORCING 1 object, PROOF FAILED: order-front$/);
    const kind = { object: 'order-front', kind: 'not-refused' };
    t.ok((sumOf(await first.metrics(), 'edgeward_proof_failures_total', kind) ?? 0) >= 1);
    t.equal((await first.denials('sinceMs=0')).denials.length, 1, 'and nobody was denied by that');
  });

  await t.test('the service begins anew, and knows that it was proven there', async (t) => {
    await first.stop();
    const second = await startAt(t, place);
    t.match(await inState(second, 'failed'), { kind: 'not-refused' });
    await edge.stop();
    t.match(await inState(second, 'stale'), { kind: 'no-answer' });
  });
});

t.test('where a point is switched off, its objects are shown as unproven', async (t) => {
  const edge = await startEdge(t);
  const place = await placeFor(t, edge);
  const config = JSON.parse(await readFile(place.configFile, 'utf8')) as { points: Record<string, object> };
  config.points['edge-1'] = { ...config.points['edge-1'], proof: { mode: 'off' } };
  await writeFile(place.configFile, JSON.stringify(config));
  const it = await startAt(t, place);
  await until('the policy is in force', async () => (await it.status()).points[0]?.state === 'current');
  t.match(await proofOf(it), { object: 'order-front', state: 'unproven', why: 'off, as edgeward.yaml says' });
  t.equal(sumOf(await it.metrics(), 'edgeward_proof_state', { state: 'unproven' }), 1);
});
