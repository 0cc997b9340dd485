/** The seconds between a start of NGINX and the first push: what the last-known file says, or nothing and closed. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { compileDocuments, type Edge, onEveryNginx, startEdge } from '@edgeward/test/kit';
import t from 'tap';
import { layOut } from '../driver/entries.ts';
import { namesUnder } from '../driver/entry-names.ts';
import { writeLastKnown } from '../driver/last-known-file.ts';
import { ask, statusOf } from './fixtures/asking.ts';
import { frontDocument, largePolicy, smallPolicy } from './fixtures/policies.ts';

const MODES = ['enforce', 'observe', 'off'] as const;
const servers = MODES.map((name) => ({ name }));
const rule = { id: 'r', from: [{ cidr: '127.0.0.1' }], to: "app == 'shop'" };
const documents = [...MODES.map((mode) => frontDocument(mode, mode)), { kind: 'Policy', name: 'shop', rules: [rule] }];
const policy = (revision: number): ReturnType<typeof compileDocuments> => compileDocuments(documents, { revision });

const claim = await onEveryNginx(t);

claim('after a restart the first request is judged from the last-known file, on every worker', async (t, on) => {
  const edge = await on.startEdge(t, { servers });
  await edge.point().apply(policy(12));
  await edge.restart();
  const asked = Array.from({ length: 20 }, (_, n) => statusOf(edge, { from: n % 2 === 0 ? '127.0.0.1' : '127.0.0.2' }));
  t.strictSame([...new Set(await Promise.all(asked))].sort(), [200, 403]);
  const events = await edge.denials();
  t.equal(events.length, 10, 'only the denied left an event');
  for (const event of events) t.match(event, { source: '127.0.0.2', reason: 'unknown-source', revision: 12 });
  t.match(await edge.point().inspect(), { state: 'loaded', revision: 12, drift: [] }, 'and it is whole');
  t.strictSame((await edge.point().apply(policy(12))).writes, 0, 'so that nothing has to be pushed again');
});

interface Damage {
  name: string;
  /** null: the file is removed. */
  damage: ((text: string) => string | Buffer) | null;
  /** Whether the modes can still be read. */
  modes: boolean;
}

const head = (text: string): string => text.slice(0, text.indexOf('\n'));

const damages: Damage[] = [
  { name: 'absent', damage: null, modes: false },
  { name: 'empty', damage: () => '', modes: false },
  { name: 'not JSON', damage: (text) => `x${text}`, modes: false },
  { name: 'of another format', damage: (text) => text.replace('"format":2', '"format":3'), modes: false },
  { name: 'null', damage: () => 'null\n', modes: false },
  { name: 'without modes', damage: () => '{"format":2}\n', modes: false },
  { name: 'no text', damage: () => Buffer.from([0xff, 0xfe, 0x00, 0x0a]), modes: false },
  { name: 'cut in its head', damage: (text) => text.slice(0, 40), modes: false },
  { name: 'cut after its head', damage: (text) => `${head(text)}\n`, modes: true },
  { name: 'cut in its body', damage: (text) => text.slice(0, -20), modes: true },
  { name: 'changed in its body', damage: (text) => text.replace('7f00', '7f01'), modes: true },
  {
    name: 'too large to hold the policy',
    damage: (text) => `${head(text).replace(/"sha256":"\w+"/, '"sha256":null')}\n`,
    modes: true,
  },
  { name: 'of a revision that is none', damage: (text) => text.replace('"revision":3', '"revision":"x"'), modes: true },
];

claim(
  'a last-known file that can not be used denies; observe and off pass while their modes are known',
  async (t, on) => {
    const edge = await on.startEdge(t, { servers });
    for (const { name, damage, modes } of damages) {
      const point = edge.point();
      await point.apply(policy(3));
      const text = await readFile(edge.paths.lastKnownFile, 'utf8');
      if (damage === null) await rm(edge.paths.lastKnownFile);
      else await writeFile(edge.paths.lastKnownFile, damage(text));
      await edge.restart();
      await proveUnloaded(t, edge, name, modes);
      await point.apply(policy(3));
      t.strictSame(await statusesOf(edge), [200, 200, 200], `${name}: the next push is judged by`);
      t.equal((await edge.push({ call: 'state' })).status, 200);
      await edge.restart();
      t.strictSame(await statusesOf(edge), [200, 200, 200], `${name}: and the file is good again`);
    }
  },
);

async function proveUnloaded(
  t: { strictSame(found: unknown, wanted: unknown, claim: string): unknown },
  edge: Edge,
  name: string,
  modes: boolean,
): Promise<void> {
  const before = (await edge.denials()).length;
  t.strictSame(await statusesOf(edge), modes ? [403, 200, 200] : [403, 403, 403], name);
  const events = (await edge.denials()).slice(before);
  const denied = MODES.filter((mode) => !modes || mode !== 'off');
  t.strictSame(
    events.map(({ object, verdict, reason, revision }) => ({ object, verdict, reason, revision })),
    denied.map((object) => ({
      object,
      verdict: modes && object === 'observe' ? 'would-deny' : 'deny',
      reason: 'no-policy',
      revision: 0,
    })),
    `${name}: the events`,
  );
}

async function statusesOf(edge: Edge): Promise<number[]> {
  const statuses: number[] = [];
  for (const server of MODES) statuses.push(await statusOf(edge, { server }));
  return statuses;
}

claim('a policy over 8 MB leaves its modes and says that it was too large', async (t, on) => {
  const edge = await on.startEdge(t, { servers });
  const layout = layOut(policy(4), { nameOf: namesUnder('any') });
  const large = 'ab'.repeat(75_000);
  const entries = Array.from({ length: 57 }, (_, n) => [`${'0'.repeat(12)}${1000 + n}`, large] as const);
  layout.contents.set('0'.repeat(12), { entries: () => entries });
  await writeLastKnown(edge.paths.lastKnownFile, policy(4), layout);
  await edge.restart();
  await proveUnloaded(t, edge, 'too large', true);
});

claim('a last-known file that the zone can not hold denies, and leaves room for a push', async (t, on) => {
  const edge = await on.startEdge(t, { servers: [{ name: 'order-front' }] });
  await edge.point().apply(largePolicy(1, 500));
  await edge.configure({ zoneSize: '64k' });
  await edge.restart();
  for (let n = 0; n < 6; n += 1) t.equal(await statusOf(edge), 403);
  const reasons = (await edge.denials()).map(({ reason }) => reason);
  t.strictSame([...new Set(reasons)], ['no-policy'], 'closed, and not by a failing handler');
  await edge.point().apply(smallPolicy({ revision: 2, allow: ['127.0.0.1'] }));
  t.equal(await statusOf(edge), 200);
});

claim(
  'a reload keeps the policy; one with another zone size is filled from the file, then by a push',
  async (t, on) => {
    const edge = await on.startEdge(t, { servers: [{ name: 'order-front' }] });
    const point = edge.point();
    await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
    const before = await point.probe();
    await edge.reload();
    t.equal(await point.probe(), before, 'the probe tells no change');
    t.equal(await statusOf(edge), 200);

    await edge.configure({ zoneSize: '5m' });
    await edge.reload();
    t.strictSame(await point.inspect(), { state: 'empty' }, 'another size empties the zone');
    t.not(await point.probe(), before, 'and the probe tells it');
    t.strictSame(
      [await statusOf(edge), await statusOf(edge, { from: '127.0.0.2' })],
      [200, 403],
      'judged from the file',
    );
    await point.apply(smallPolicy({ revision: 2, allow: ['127.0.0.2'] }));
    t.strictSame([await statusOf(edge), await statusOf(edge, { from: '127.0.0.2' })], [403, 200], 'filled by a push');
    t.match(await ask(edge), { status: 403 });
  },
);

t.test(
  'a last-known file that is missing, damaged or of another policy is drift, and the next apply mends it',
  async (t) => {
    const edge = await startEdge(t, { servers });
    const file = edge.paths.lastKnownFile;
    const point = edge.point();
    await point.apply(policy(3));
    const older = await readFile(file, 'utf8');
    await point.apply(policy(5));
    const good = await readFile(file, 'utf8');
    for (const [name, text] of [
      ['missing', null],
      ['damaged', good.slice(0, -9)],
      ['empty', ''],
      ['of another revision', older],
    ] as const) {
      if (text === null) await rm(file);
      else await writeFile(file, text);
      for (const one of [point, edge.point()]) {
        t.match(await one.inspect(), { state: 'loaded', revision: 5, drift: [/last-known/] }, `${name}: seen`);
      }
      await point.apply(policy(5));
      t.equal(await readFile(file, 'utf8'), good, `${name}: mended`);
      t.match(await point.inspect(), { drift: [] });
    }
  },
);
