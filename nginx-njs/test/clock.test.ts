/** The clock of a real NGINX steps, back and forth, in a flood: verdicts stay what they are, and no denial is lost or told twice. */
import { type Edge, flood, onEveryNginx } from '@edgeward/test/kit';
import t from 'tap';
import { type FakeClock, fakeClock, requireFakeClock } from '../../test/kit/fake-clock.ts';
import { eventually, statusOf } from './fixtures/asking.ts';
import { smallPolicy } from './fixtures/policies.ts';

await requireFakeClock(t);
// One edition here, soak runs it on each.
const claim = await onEveryNginx(t, ['debian-14-qjs']);

const ALLOWED = '127.0.0.9';
const HOUR_S = 3600;

claim('a clock that steps changes no verdict, and the sum of denials stays exact', async (t, on) => {
  const clock = await fakeClock(t);
  const edge = await on.startEdge(t, { clock, servers: [{ name: 'order-front', foldAfter: 3, foldSeconds: 2 }] });
  const point = edge.point();
  await point.apply(smallPolicy({ revision: 1, allow: [ALLOWED] }));
  let refused = 0;
  let revision = 1;
  for (const offset of [-HOUR_S, 2 * HOUR_S, -25 * HOUR_S, 0, -30]) {
    refused += await floodOver(edge, clock, offset);
    t.equal(await statusOf(edge, { from: ALLOWED }), 200, `${offset} s: who is allowed`);
    revision += 1;
    await point.apply(smallPolicy({ revision }));
    t.equal(await statusOf(edge, { from: ALLOWED }), 403, `${offset} s: what is revoked is revoked at once`);
    refused += 1;
    revision += 1;
    await point.apply(smallPolicy({ revision, allow: [ALLOWED] }));
    t.match(await point.inspect(), { state: 'loaded', revision, drift: [] });
  }
  t.ok(await eventually(async () => (await point.counts()).waiting === 0), 'nothing waits for ever');
  const { counts } = await point.counts();
  const sum = (verdict: string): number =>
    counts.filter((count) => count.verdict === verdict).reduce((total, count) => total + count.total, 0);
  const lines = await edge.denials();
  t.strictSame([sum('deny'), sum('lost')], [refused, 0], 'NGINX counted each');
  t.equal(
    lines.reduce((total, { count = 1 }) => total + count, 0),
    refused,
    'and the lines tell each once',
  );
  t.ok(
    lines.some(({ t: ms }) => ms < Date.now() - 24 * HOUR_S * 1000) &&
      lines.some(({ t: ms }) => ms > Date.now() + HOUR_S * 1000),
    'it did go by that clock',
  );
});

/** The clock is set in the middle of it. */
async function floodOver(edge: Edge, clock: FakeClock, offset: number): Promise<number> {
  const running = flood({ port: edge.port, requests: 600 });
  await clock.set(offset);
  const { refused } = await running;
  return refused;
}
