/** Policies pushed as deltas while NGINX is reloaded and killed, and others push too: every request is judged by a revision that was in force. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EdgewardError } from '@edgeward/runtime';
import { type Edge, liveEditions, onEveryNginx } from '@edgeward/test/kit';
import t from 'tap';
import { runs, seed } from '../../test/parity/random-runs.ts';
import { eventually, statusOf } from './fixtures/asking.ts';
import { policyOfLoad, startLoad } from './fixtures/judged-load.ts';

const MISHAPS = [
  'none',
  'reload',
  'worker killed',
  'killed and started',
  'two at once',
  'one is late',
  'heir',
] as const;
type Mishap = (typeof MISHAPS)[number];

const chosen = seed();
const revisions = runs(12);
const claim = await onEveryNginx(t, runs(1) > 1 ? liveEditions : liveEditions.slice(0, 1));

claim('whatever happens in the middle of a push, no request is judged by another revision', async (t, on) => {
  const edge = await on.startEdge(t, { workers: 2 });
  const random = randomFrom(chosen);
  t.comment(`EDGEWARD_SEED=${chosen} repeats these ${revisions} pushes`);
  const points = { one: edge.point({ collectAfterMs: 50 }), other: edge.point({ collectAfterMs: 50 }) };
  await points.one.apply(policyOfLoad(1));
  const load = startLoad(edge.port, 1);
  t.teardown(load.stop);
  const happened: Partial<Record<Mishap, number>> = {};
  for (let revision = 2; revision <= revisions + 1; revision += 1) {
    const mishap = revision <= MISHAPS.length + 1 ? (MISHAPS[revision - 2] ?? 'none') : pick(random);
    happened[mishap] = (happened[mishap] ?? 0) + 1;
    load.begun(revision);
    if (mishap === 'heir') points.one = edge.point({ collectAfterMs: 50 });
    const push = pushed(points.one, revision);
    const late = mishap === 'one is late' ? pushed(points.other, revision - 1) : push;
    const both = mishap === 'two at once' ? pushed(points.other, revision) : late;
    await sleep(random() * 8);
    await befall(edge, mishap);
    t.strictSame(await Promise.all([push, both]), [true, true], `revision ${revision}, ${mishap}: taken in the end`);
    load.acknowledged(revision);
  }
  const { answers, failed, wrong } = await load.stop();
  t.comment(`${answers} answers, ${failed} without one; ${JSON.stringify(happened)}`);
  t.strictSame(wrong, []);
  t.ok(answers > revisions * 20, 'and there were requests, or this proves nothing');
  for (const point of Object.values(points)) {
    t.ok(await pushed(point, revisions + 1), 'both find it in force');
    t.match(await point.inspect(), { revision: revisions + 1, drift: [] }, 'and whole');
  }
});

claim(
  'whoever has the token and never stops sending fills the zone and no more; the policy stays, and the next push clears it away',
  async (t, on) => {
    const edge = await on.startEdge(t, { zoneSize: '256k' });
    const halves = [stalled(edge, 'POST /edgeward/set HTTP/1.1\r\n'), stalled(edge, unfinishedBody(edge))];
    const point = edge.point({ collectAfterMs: 20 });
    await point.apply(policyOfLoad(1));
    const { bootId } = (await edge.push({ call: 'state' })).body as { bootId: string };
    const headers = { 'edgeward-boot-id': bootId, 'edgeward-writer': 'f'.repeat(16) };
    const { writer } = (await edge.push({ call: 'state' })).body as { writer: string };
    await edge.push({
      method: 'POST',
      call: 'begin',
      body: 'f'.repeat(16),
      headers: { ...headers, 'edgeward-writer': writer },
    });
    let status = 200;
    for (let piece = 0; piece < 200 && status === 200; piece += 1) {
      const lines = Array.from(
        { length: 100 },
        (_, n) => `${(piece * 100 + n).toString(16).padStart(12, 'e')}0a00\t${'00'.repeat(100)}`,
      );
      status = (await edge.push({ method: 'POST', call: 'set', body: lines.join('\n'), headers })).status;
    }
    t.equal(status, 507, 'full');
    t.equal(await statusOf(edge, { from: '127.8.0.1' }), 200, 'judged as before');
    t.equal(await statusOf(edge, { from: '127.7.0.1' }), 403);
    t.ok(await pushed(point, 2), 'the next push makes room');
    await Promise.all(halves);
    t.pass('whoever began a call and never ended it was let go');
    t.match(await point.inspect(), { revision: 2, drift: [] });
  },
);

/** Tries again as the service does, until it is taken, or overtaken. */
async function pushed(
  point: { apply(policy: ReturnType<typeof policyOfLoad>): Promise<unknown> },
  revision: number,
): Promise<boolean> {
  const policy = policyOfLoad(revision);
  return eventually(() =>
    point.apply(policy).then(
      () => true,
      (thrown: unknown) => {
        const code = thrown instanceof EdgewardError ? thrown.code : '';
        if (code === 'EDW_ERR_REVISION_OLDER') return true;
        if (/^EDW_ERR_POINT_(TAKEN|RESTARTED|UNREACHABLE)$/.test(code)) return false;
        throw thrown;
      },
    ),
  );
}

/** Until NGINX closes it. */
async function stalled(edge: Edge, begun: string): Promise<void> {
  const socket = connect(edge.pushPort, '127.0.0.1');
  socket.on('error', () => {}).resume();
  socket.write(begun);
  await once(socket, 'close');
}

function unfinishedBody({ token }: Edge): string {
  const lines = ['POST /edgeward/set HTTP/1.1', 'Host: x', `Authorization: Bearer ${token}`, 'Content-Length: 9000'];
  return `${lines.join('\r\n')}\r\n\r\nhalf`;
}

async function befall(edge: Edge, mishap: Mishap): Promise<void> {
  if (mishap === 'reload') await edge.reload();
  if (mishap === 'killed and started') await edge.restart();
  if (mishap !== 'worker killed') return;
  process.kill(await oneWorker(edge), 'SIGKILL');
  // Rarely it dies with a lock of njs in its hands, and no worker goes on; docs/nginx.md says what helps.
  if (
    !(await edge.push({ call: 'state' }).then(
      () => true,
      () => false,
    ))
  )
    await edge.restart();
}

async function oneWorker(edge: Edge): Promise<number> {
  const master = (await readFile(join(edge.paths.folder, 'nginx.pid'), 'utf8')).trim();
  const children = await readFile(`/proc/${master}/task/${master}/children`, 'utf8');
  return Number(children.trim().split(' ')[0]);
}

function pick(random: () => number): Mishap {
  return MISHAPS[Math.floor(random() * MISHAPS.length)] ?? 'none';
}

function randomFrom(start: number): () => number {
  let state = start | 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}
