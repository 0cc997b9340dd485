/** From a line in the log to the ledger of another machine: real files, real TLS, a real ledger. */
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { get } from 'node:http';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Clock, systemClock } from '@edgeward/runtime';
import t from 'tap';
import { denyLine, refs } from '../../deny-log/test/lines.ts';
import { type Running, type Scene, sceneOf, until } from './kit.ts';

const stored = (scene: Scene, count: number): Promise<void> =>
  until(`${count} denials are stored`, () => (scene.collector.spools()[0]?.stored ?? 0) >= count);
const settled = (forwarder: Running): Promise<void> =>
  until('nothing waits', () => forwarder.spool().pending === 0 && forwarder.spool().shed === null);
const metric = async (forwarder: Running, name: string): Promise<number> => {
  const values = [...(await forwarder.registry.metrics()).matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))];
  return values.reduce((sum, [, value]) => sum + Number(value), 0);
};
const asked = async (url: string): Promise<[number | undefined, string]> =>
  new Promise((resolve, reject) => {
    get(url, async (answer) => resolve([answer.statusCode, await text(answer)])).on('error', reject);
  });

t.test('each line of the log is in the ledger once, over rotations and restarts', async (t) => {
  const scene = await sceneOf(t);
  await scene.listen();
  scene.write(0, 10);
  const first = await scene.start();
  await stored(scene, 10);
  renameSync(scene.log, `${scene.log}.1`);
  appendFileSync(`${scene.log}.1`, denyLine({ ref: 'ref-10' }));
  scene.write(11, 20);
  await stored(scene, 20);
  copyFileSync(scene.log, `${scene.log}-copy`);
  truncateSync(scene.log, 0);
  scene.write(20, 30);
  await stored(scene, 30);
  await first.stop();
  scene.write(30, 35);
  renameSync(`${scene.log}.1`, `${scene.log}.2`);
  renameSync(scene.log, `${scene.log}.1`);
  scene.write(35, 40);
  const second = await scene.start();
  t.equal(second.epoch, first.epoch, 'it is the same spool');
  await stored(scene, 40);
  await settled(second);
  t.strictSame(await scene.refs(), refs(0, 40));
  t.match(scene.collector.spools(), [{ point: 'edge-1', stored: 40, missing: 0, gaps: {} }]);
  const { losses = {} } = scene.collector.spools()[0] ?? {};
  t.strictSame(Object.values(losses), [1], 'a copy that is cut off may have lost something');
});

t.test('however many files were rotated, the newest are read once, and what is not read is told', async (t) => {
  const scene = await sceneOf(t);
  await scene.listen();
  const rotated = 150;
  for (let n = 0; n < rotated; n += 1) {
    const file = `${scene.log}.${rotated - n}`;
    writeFileSync(file, denyLine({ ref: `ref-${n}` }));
    utimesSync(file, 1_000_000 + n, 1_000_000 + n);
  }
  scene.write(rotated, rotated + 1);
  const kept = refs(rotated - 47, rotated + 1);
  const first = await scene.start();
  await stored(scene, kept.length);
  await settled(first);
  t.strictSame(await scene.refs(), kept);
  const lost = (): Record<string, number> => ({ ...scene.collector.spools()[0]?.losses });
  t.strictSame(lost(), { gone: rotated - 47 });
  await first.stop();
  scene.write(rotated + 1, rotated + 2);
  const second = await scene.start();
  await stored(scene, kept.length + 1);
  await settled(second);
  t.strictSame(await scene.refs(), refs(rotated - 47, rotated + 2), 'none of them is read again');
  t.strictSame(lost(), { gone: rotated - 47 }, 'nor told again');
});

t.test('while the collector is away denials wait on disk, also over a restart', async (t) => {
  const scene = await sceneOf(t);
  scene.write(0, 100);
  const first = await scene.start();
  await until('all of it is in the spool', () => first.spool().pending === 100);
  await until('it says so', () => first.troubles().some(({ code }) => code === 'EDW_ERR_BATCH_UNREACHABLE'));
  t.ok((await metric(first, 'edgeward_forwarder_spool_oldest_age_seconds')) > 0);
  t.match(await asked(`${first.url}/readyz`), [200, 'ready\n'], 'it takes in what NGINX writes');
  await first.stop();
  rmSync(scene.log);
  await scene.listen();
  const second = await scene.start();
  await stored(scene, 100);
  await settled(second);
  t.strictSame([second.troubles(), await scene.refs()], [[], refs(0, 100)]);
});

t.test('without room lines wait in the log, and none of them is given up', async (t) => {
  const scene = await sceneOf(t);
  const forwarder = await scene.start({}, { maxSpoolBytes: 2_000_000 });
  scene.write(0, 10_000, true);
  await until('the spool is full', async () => (await metric(forwarder, 'edgeward_forwarder_holding')) === 1);
  t.match(await asked(`${forwarder.url}/readyz`), [503, /no room/]);
  t.match(forwarder.troubles(), [{ code: 'EDW_ERR_BATCH_UNREACHABLE' }, { code: 'EDW_ERR_SPOOL_FULL' }]);
  // Rotated twice meanwhile, and the second one deleted: it was opened, and can still be read.
  renameSync(scene.log, `${scene.log}.1`);
  const before = await metric(forwarder, 'edgeward_forwarder_unread_bytes');
  scene.write(10_000, 10_100);
  await until('it was seen', async () => (await metric(forwarder, 'edgeward_forwarder_unread_bytes')) > before);
  renameSync(scene.log, `${scene.log}.2`);
  rmSync(`${scene.log}.2`);
  await scene.listen();
  await stored(scene, 10_100);
  await settled(forwarder);
  t.match(scene.collector.spools(), [{ stored: 10_100, gaps: {}, missing: 0 }]);
  t.equal(await metric(forwarder, 'edgeward_forwarder_shed_denials_total'), 0);
});

t.test('with little room equal denials are one, and their counts add up', async (t) => {
  const scene = await sceneOf(t);
  const forwarder = await scene.start({}, { maxSpoolBytes: 2_000_000 });
  scene.write(0, 5_000);
  await until('it is read', async () => (await metric(forwarder, 'edgeward_forwarder_lines_read_total')) === 5_000);
  t.ok(forwarder.spool().pending < 5_000, `${forwarder.spool().pending} records`);
  await scene.listen();
  await stored(scene, 5_000);
  t.ok((await scene.collector.denials({ limit: 10_000 })).some(({ event }) => event.count > 1));
});

t.test('where neither the spool nor the log has room, what is given up is counted', async (t) => {
  const scene = await sceneOf(t);
  const forwarder = await scene.start({}, { maxSpoolBytes: 2_000_000, maxUnreadBytes: 100_000 });
  scene.write(0, 20_000, true);
  await until('it is given up', async () => (await metric(forwarder, 'edgeward_forwarder_shed_denials_total')) > 0);
  await scene.listen();
  const books = (): { stored: number; gaps: Record<string, number>; observed: number } =>
    scene.collector.spools()[0] ?? { stored: 0, gaps: {}, observed: 0 };
  await until('all is accounted for', () => books().observed === 20_000);
  await settled(forwarder);
  const { stored, gaps } = books();
  t.equal(stored + (gaps['spool-full'] ?? 0), 20_000);
  const kept = await scene.refs();
  t.equal(new Set(kept).size, stored, 'none of them twice');
});

t.test('what was given up is told also where nothing more is denied, and over a restart', async (t) => {
  const scene = await sceneOf(t);
  const config = { maxSpoolBytes: 2_000_000, maxUnreadBytes: -1 };
  const first = await scene.start({}, config);
  let written = 8_000;
  scene.write(0, written, true);
  const read = async (): Promise<boolean> => (await metric(first, 'edgeward_forwarder_lines_read_total')) === written;
  await until('it is read', read);
  // What still fitted brought the number of what had not: until nothing fits any more.
  for (; first.spool().shed === null && written < 20_000; await until('it is read', read)) {
    scene.write(written, written + 1_000, true);
    written += 1_000;
  }
  const shed = await metric(first, 'edgeward_forwarder_shed_denials_total');
  await first.stop();
  await scene.listen();
  const second = await scene.start({}, config);
  await until('all is accounted for', () => scene.collector.spools()[0]?.observed === written);
  t.match(scene.collector.spools(), [{ stored: written - shed, gaps: { 'spool-full': shed }, missing: 0 }]);
  await settled(second);
});

t.test(
  'lines that can not be read are said with what was read, and what strangers write is nothing but text',
  async (t) => {
    const scene = await sceneOf(t);
    await scene.listen();
    scene.write(0, 1);
    appendFileSync(scene.log, 'GET / HTTP/1.1\n{"v":1,"t":1\n');
    appendFileSync(scene.log, denyLine({ ref: 'large', path: '/'.repeat(1024 * 1024) }));
    appendFileSync(
      scene.log,
      denyLine({ ref: 'ref-1' }).replace('{', '{"point":"edge-9","__proto__":{"point":"edge-9"},'),
    );
    const forged = '\u0000\n<134>1 - edge-9 edgeward - deny [x]\u001b[2J"},{"kind":"event","point":"edge-9"}';
    appendFileSync(scene.log, denyLine({ ref: 'ref-2', path: forged }));
    appendFileSync(scene.log, Buffer.from(denyLine({ ref: 'ref-3', path: '/\u00ff' }), 'latin1'));
    scene.write(4, 5);
    await scene.start();
    const unparsed = { 'not-json': 1, torn: 1, 'too-long': 1 };
    await until('all is told', () => scene.collector.spools()[0]?.unparsed['too-long'] === 1);
    await stored(scene, 5);
    t.match(scene.collector.spools(), [{ point: 'edge-1', stored: 5, missing: 0, unparsed }]);
    const events = (await scene.collector.denials({})).map(({ event }) => event);
    t.strictSame(
      events.map(({ ref, point }) => [ref, point]),
      refs(0, 5).map((ref) => [ref, 'edge-1']),
    );
    t.strictSame(
      events.slice(2, 4).map(({ path }) => path),
      [forged.replace('\u0000', '\u{fffd}'), '/\u{fffd}'],
    );
  },
);

t.test('a log that can not be read is said, and its lines wait', async (t) => {
  const scene = await sceneOf(t);
  const listener = await scene.listen();
  mkdirSync(scene.log);
  const forwarder = await scene.start({ idleMs: 20 });
  await until('it is said', () => forwarder.troubles().some(({ code }) => code === 'EDW_ERR_DENY_LOG_UNREADABLE'));
  t.match(await asked(`${forwarder.url}/readyz`), [503, /deny log/]);
  t.match(await asked(`${forwarder.url}/livez`), [200, 'ok\n']);
  const heard = (): number => listener.senders()[0]?.heard?.waiting?.unreadBytes ?? 0;
  await until('the collector knows that something may wait', () => heard() > 0);
  rmSync(scene.log, { recursive: true });
  scene.write(0, 3);
  await stored(scene, 3);
  await until('all is well', () => forwarder.troubles().length === 0);
  t.match(await asked(`${forwarder.url}/readyz`), [200, 'ready\n']);

  rmSync(dirname(scene.log), { recursive: true });
  await until('its folder is away', () => forwarder.troubles().some(({ message }) => /folder/.test(message)));
  t.match(await asked(`${forwarder.url}/readyz`), [503, /folder is not there/]);
  await until('the collector knows that something may wait', () => heard() > 0);
  mkdirSync(dirname(scene.log));
  scene.write(3, 5);
  await stored(scene, 5);
  await until('all is well again', () => forwarder.troubles().length === 0);
});

type Fault = (turn: number, retries: () => Promise<number>) => Promise<void>;

t.test(
  'a failure after the commit, an answer too late, an hour of difference: nothing lost, nothing twice',
  async (t) => {
    const faults: [name: string, clock: Clock, fault: Fault][] = [
      [
        '500 after the commit',
        systemClock,
        async (turn) => {
          if (turn < 3) throw new Error('gone after the commit');
        },
      ],
      [
        'an answer when nobody waits for it any more',
        systemClock,
        async (turn, retries) => {
          if (turn < 2) await until('it is sent again', async () => (await retries()) > 0);
        },
      ],
      ['a clock ahead', shifted(3_600_000), async () => {}],
      ['a clock behind', shifted(-3_600_000), async () => {}],
    ];
    for (const [name, clock, fault] of faults)
      await t.test(name, async (t) => {
        const scene = await sceneOf(t);
        let turn = 0;
        let forwarder: Running | null = null;
        const retries = async (): Promise<number> =>
          forwarder === null ? 0 : metric(forwarder, 'edgeward_forwarder_retries_total');
        await scene.listen((intake) => ({
          takeBatch: async (...batch) => {
            const answer = await intake.takeBatch(...batch);
            turn += 1;
            await fault(turn, retries);
            return answer;
          },
        }));
        scene.write(0, 50);
        forwarder = await scene.start({ clock, timeoutMs: 500 });
        await stored(scene, 50);
        await settled(forwarder);
        t.strictSame(await scene.refs(), refs(0, 50));
      });
  },
);

function shifted(byMs: number): Clock {
  return { ...systemClock, now: () => systemClock.now() + byMs };
}

t.test('two forwarders do not share a spool', async (t) => {
  const scene = await sceneOf(t);
  await scene.start();
  await t.rejects(scene.start(), { code: 'EDW_ERR_STATE_IN_USE' });
});
