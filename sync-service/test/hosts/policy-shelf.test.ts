/** What lies there for hosts, and what it takes to keep it. */
import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { completeHostPolicy, openHostPolicy, signHostPolicy } from '@edgeward/host-agent/protocol';
import { generateSigningKey } from '@edgeward/policy-format';
import t from 'tap';
import { createManualClock } from '../../../runtime/test/fixtures/manual-clock.ts';
import { createPolicyShelf } from '../../src/hosts/policy-shelf.ts';
import { policyFor } from '../fixtures/calling.ts';

t.test('whatever is kept of it, a host gets the same bytes until there is another policy', async (t) => {
  const key = await generateSigningKey();
  for (const maxKeptBytes of [0, 1_500, 64 * 1024 * 1024]) {
    const clock = createManualClock(Date.parse('2026-11-23T10:00:00Z'));
    const shelf = createPolicyShelf({ key, clock, maxKeptBytes });
    const points = ['host-1', 'host-2', 'host-3'];
    for (const point of points) shelf.put(policyFor(point, 1));
    const all = async (): Promise<string[]> => {
      const found = await Promise.all(points.map((point) => shelf.newest(point)));
      return found.map((it) => Buffer.from(it?.bytes ?? []).toString());
    };
    const first = await all();
    await clock.advance(60_000);
    t.strictSame(await all(), first, `${maxKeptBytes} bytes are kept`);
    shelf.put(policyFor('host-2', 2));
    const [one, two, three] = await all();
    t.strictSame([one, three], [first[0], first[2]], 'of another host nothing changes');
    const expected = { aud: 'host-2', keys: [key.publicKey], floor: null };
    t.match(await openHostPolicy(Buffer.from(two ?? ''), expected), { head: { revision: 2 } });
  }
});

t.test('a policy is packed once, however many ask for it', async (t) => {
  const key = await generateSigningKey();
  const shelf = createPolicyShelf({ key, clock: createManualClock() });
  shelf.put(policyFor('host-1', 1));
  const [plain, ...packed] = await Promise.all([
    shelf.newest('host-1'),
    ...Array.from({ length: 20 }, () => shelf.newest('host-1', { packed: true })),
  ]);
  t.strictSame(gunzipSync(packed[0]?.bytes ?? new Uint8Array()), Buffer.from(plain?.bytes ?? []));
  t.equal(new Set(packed.map((it) => it?.bytes)).size, 1, 'the same bytes for all of them');
});

t.test('a large policy on its way holds up no other host', async (t) => {
  const key = await generateSigningKey();
  const shelf = createPolicyShelf({ key, clock: createManualClock() });
  const small = policyFor('host-2', 1);
  const [object] = policyFor('host-1', 1).objects;
  if (object === undefined) throw new Error('there is no object');
  // Noise, which takes long to pack.
  const sources = { '*4': randomBytes(16 * 1024 * 1024).toString('base64') };
  shelf.put({ ...policyFor('host-1', 1), objects: [{ ...object, sources }] });
  shelf.put(small);
  const done: string[] = [];
  const ask = async (point: string): Promise<void> => {
    await shelf.newest(point, { packed: true });
    done.push(point);
  };
  await Promise.all([ask('host-1'), ask('host-1'), ask('host-2')]);
  t.strictSame(done, ['host-2', 'host-1', 'host-1']);
});

t.test('what only got another number is written once, whatever it is asked for as', async (t) => {
  const key = await generateSigningKey();
  for (const first of ['whole', 'head']) {
    const shelf = createPolicyShelf({ key, clock: createManualClock() });
    const policy = policyFor('host-1', 1);
    let written = 0;
    const objects = Object.assign([...policy.objects], {
      toJSON(this: unknown[]) {
        written += 1;
        return [...this];
      },
    });
    const isHeld = (hash: string): boolean => hash === policy.hash;
    shelf.put({ ...policy, objects });
    await shelf.newest('host-1', first === 'head' ? { isHeld } : {});
    for (let revision = 2; revision < 8; revision += 1) {
      shelf.put({ ...policy, objects, revision });
      const found = await shelf.newest('host-1', { isHeld, packed: true });
      t.match(found, { form: 'head', etag: new RegExp(`^${revision}-`) });
    }
    t.equal(written, 1, `${first} first`);
    const other = policyFor('host-1', 9, '10.77.0.0/16');
    shelf.put(other);
    const head = await shelf.newest('host-1', { isHeld: () => true });
    const whole = await shelf.newest('host-1');
    const completed = await completeHostPolicy(head?.bytes ?? new Uint8Array(), [key.publicKey], async () =>
      signHostPolicy({ ...other, revision: 1 }, '2026-11-23T10:00:00.000Z', key),
    );
    t.strictSame(Buffer.from(completed ?? []), Buffer.from(whole?.bytes ?? []), 'another policy has another front');
    t.match(await shelf.newest('host-1', { isHeld }), { form: 'whole' }, 'what is not held comes whole');
  }
});

t.test('a clock that is set back makes nothing look older', async (t) => {
  const key = await generateSigningKey();
  let nowMs = Date.parse('2026-11-23T10:00:00Z');
  const shelf = createPolicyShelf({ key, clock: { now: () => nowMs, after: () => () => {} } });
  const issued = async (source: string): Promise<string> => {
    shelf.put(policyFor('host-1', 1, source));
    const bytes = (await shelf.newest('host-1'))?.bytes ?? new Uint8Array();
    return (await openHostPolicy(bytes, { aud: 'host-1', keys: [key.publicKey], floor: null })).head.issuedAt;
  };
  const first = await issued('10.30.1.4/32');
  nowMs -= 3_600_000;
  t.ok((await issued('10.30.1.5/32')) > first);
});
