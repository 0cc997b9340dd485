/** A sink on the ledger in PostgreSQL, whose server is killed while it stores and while it is read. */
import { join } from 'node:path';
import t from 'tap';
import { requirePostgres } from '../../../test/kit/postgres.ts';
import { cursorFile } from '../../src/sinks/sink-cursor.ts';
import { refs, until } from '../kit.ts';
import { batchOf } from '../ledger/fixtures.ts';
import { postgresPlace } from '../ledger/postgres-place.ts';
import { event, refsAt, stageOf } from './stage.ts';

requirePostgres(t);
const place = await postgresPlace(t);

t.test('what is stored is pushed once, and a batch that came to nothing is no loss', async (t) => {
  const stage = await stageOf(t, null, await place.make(t).open());
  const sink = stage.start();
  // Nobody else keeps this process alive while the server is away.
  const alive = setInterval(() => {}, 1_000);
  t.teardown(() => clearInterval(alive));
  const stored: string[] = [];
  for (let round = 0; round < 4; round += 1) {
    const batch = refs(round * 50, round * 50 + 50);
    if (round === 2) {
      // Stored or not: the answer may have been lost with the way.
      const storing = stage.store(batch.map((ref) => event(ref))).catch(() => {});
      await place.server.kill();
      await storing;
      await until('the sink says why', () => sink.status().error !== null);
      await place.server.restart();
      await until('the ledger answers', () =>
        stage.ledger.denials({ newest: true, limit: 1 }).then(
          () => true,
          () => false,
        ),
      );
    } else await stage.store(batch.map((ref) => event(ref)));
  }
  for (const { event } of await stage.ledger.denials({ limit: 1_000 })) stored.push(event.ref ?? '');
  await until('all of it is there', () => refsAt(stage.loki).length === stored.length);
  t.strictSame(refsAt(stage.loki), stored);
  t.ok(stored.length === 150 || stored.length === 200, `${stored.length} stored`);
  await until('it is through', () => sink.status().lagEvents === 0 && sink.status().error === null);
  t.match(sink.status(), { sent: stored.length, rejected: 0, lost: 0 });
});

t.test('a server that is away at the start costs a sink its place no more than later', async (t) => {
  const { open } = place.make(t);
  const before = await open();
  const [first] = await before.store(batchOf([event('sent'), event('new')]));
  await before.close();
  await place.server.kill();
  const stage = await stageOf(t, null, await open());
  const kept = { epoch: before.epoch, beganAfter: 0, afterId: first?.id ?? 0, sent: 1, rejected: 0, lost: 0 };
  await cursorFile(join(stage.folder, 'sinks'), 'loki').write(kept);
  const sink = stage.start();
  await until('the sink says why', () => sink.status().error !== null);
  await place.server.restart();
  await until('what is new is there', () => sink.status().sent === 2);
  t.strictSame(refsAt(stage.loki), ['new']);
});
