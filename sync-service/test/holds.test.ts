import t from 'tap';
import { changed, front, policy, rule, type Site, site, without, workload } from './fixtures/site.ts';
import { inMinutes, minuteMs, stage } from './fixtures/stage.ts';

const cut = changed(site, { policy: policy([rule({ from: [{ cidr: '10.30.1.1/32' }] })]) });
const otherCut = changed(site, { policy: policy([rule({ from: [{ cidr: '10.30.1.2/32' }] })]) });
const wider = changed(site, { 'crm-5': workload('crm-5', '10.30.1.5') });

t.test('a held revision comes into force by being accepted under its own number, and by nothing else', async (t) => {
  const it = await stage(t);
  await t.rejects(it.publisher.accept(1), { code: 'EDW_ERR_NOTHING_HELD' });
  await it.offer(site);
  await it.offer(cut);
  await it.clock.advance(minuteMs);
  await it.offer(cut);
  t.match(it.publisher.status(), {
    state: 'current',
    revision: 1,
    held: { revision: 2, heldAtMs: it.clock.now() - minuteMs },
  });
  for (const other of [0, 1, 3]) await t.rejects(it.publisher.accept(other), { code: 'EDW_ERR_HELD_OTHER' });
  t.equal(it.verdict('10.30.1.4'), 'allow by crm-orders');
  await it.publisher.accept(2);
  t.match(it.publisher.status(), { state: 'current', revision: 2, held: null });
  t.equal(it.verdict('10.30.1.4'), 'unknown-source');
  await t.rejects(it.publisher.accept(2), { code: 'EDW_ERR_NOTHING_HELD' });
  await it.offer(cut);
  t.strictSame(it.published, [1, 2], 'read again, it is in force and nothing more');
});

t.test('a held revision is dropped when the source goes back, or has errors', async (t) => {
  const it = await stage(t);
  await it.offer(site);
  await it.offer(cut);
  await it.offer(site);
  t.match(it.publisher.status(), { revision: 1, held: null });
  await it.offer(cut);
  await it.offer(changed(cut, { front: null, twice: workload('crm-1', '10.30.1.1') }));
  t.match(it.publisher.status(), { state: 'last-known-good', revision: 1, held: null });
  await t.rejects(it.publisher.accept(2), { code: 'EDW_ERR_NOTHING_HELD' });
  t.strictSame(it.published, [1]);
});

t.test('a held revision stays while the source is away, and can be accepted', async (t) => {
  const it = await stage(t);
  await it.offer(site);
  await it.offer(cut);
  it.away();
  const revision = it.publisher.status().held?.revision ?? 0;
  await it.publisher.accept(revision);
  t.equal(it.verdict('10.30.1.4'), 'unknown-source');
});

t.test('a number stands for one content: what replaces a held revision has another', async (t) => {
  const it = await stage(t);
  await it.offer(site);
  await it.offer(cut);
  const looked = it.publisher.status().held?.revision ?? 0;
  await it.offer(otherCut);
  await t.rejects(it.publisher.accept(looked), { code: 'EDW_ERR_HELD_OTHER' }, 'not what the person looked at');
  await it.publisher.accept(it.publisher.status().held?.revision ?? 0);
  t.strictSame([it.verdict('10.30.1.1'), it.verdict('10.30.1.2')], ['unknown-source', 'allow by crm-orders']);
  t.equal(it.publisher.status().revision, it.published.at(-1));
});

t.test('a number that was shown before a restart stands for nothing else after it', async (t) => {
  const it = await stage(t);
  await it.offer(site);
  await it.offer(cut);
  const looked = it.publisher.status().held?.revision ?? 0;
  const next = await it.restart();
  await next.offer(otherCut);
  await t.rejects(next.publisher.accept(looked), { code: 'EDW_ERR_HELD_OTHER' }, 'not what the person looked at');
  await next.close();
});

t.test('a smaller edit on top is published, and takes the place of what was held', async (t) => {
  const it = await stage(t);
  await it.offer(site);
  await it.offer(cut);
  const looked = it.publisher.status().held?.revision ?? 0;
  await it.offer(wider);
  t.match(it.publisher.status(), { state: 'current', held: null });
  t.not(it.publisher.status().revision, looked);
  t.equal(it.verdict('10.30.1.5'), 'allow by crm-orders');
});

t.test('what time ends while a revision is held is published under a number of its own', async (t) => {
  const ends = (of: object) => rule({ id: 'ends', until: inMinutes(10), ...of });
  const before = changed(site, { policy: policy([rule(), ends({ from: [{ cidr: '192.0.2.0/24' }] })]) });
  const after = changed(cut, {
    policy: policy([rule({ from: [{ cidr: '10.30.1.1/32' }] }), ends({ from: [{ cidr: '192.0.2.0/24' }] })]),
  });
  const it = await stage(t);
  await it.offer(before);
  await it.offer(after);
  const looked = it.publisher.status().held?.revision ?? 0;
  await it.clock.advance(10 * minuteMs);
  await it.publisher.tick();
  t.strictSame([it.verdict('192.0.2.1'), it.verdict('10.30.1.4')], ['unknown-source', 'allow by crm-orders']);
  const { held, revision } = it.publisher.status();
  t.ok(held !== null && held.revision > revision, 'the held one is newer than what is in force');
  t.not(revision, looked, 'and its number was not given to something else');
  await it.publisher.accept(held?.revision ?? 0);
  t.equal(it.verdict('10.30.1.4'), 'unknown-source');
  t.equal(it.verdict('192.0.2.1'), 'unknown-source', 'what ended meanwhile does not come back');
  t.strictSame(
    it.published,
    it.published.toSorted((one, other) => one - other),
  );
});

t.test('a point that holds a newer revision does not publish what is held', async (t) => {
  const it = await stage(t);
  await it.offer(site);
  await it.offer(cut);
  await it.publisher.foundRevision('edge-1', 41);
  t.equal(it.verdict('10.30.1.4'), 'allow by crm-orders');
  const { held, revision } = it.publisher.status();
  t.equal(revision, it.published.at(-1));
  t.ok(revision > 41 && (held?.revision ?? 0) > revision);
});

t.test('a restart lets nothing slip through that would be held', async (t) => {
  const cuts: { name: string; before: Site; after: Site; held: boolean }[] = [
    { name: 'an edit that was held', before: site, after: cut, held: true },
    {
      name: 'a rule that lost its only source to an edit',
      before: changed(without('crm-2', 'crm-3', 'crm-4'), {}),
      after: changed(without('crm-2', 'crm-3', 'crm-4'), {
        policy: policy([rule({ from: [{ workloads: "app == 'none'" }] })]),
      }),
      held: true,
    },
    { name: 'a single workload', before: site, after: without('crm-1'), held: false },
    { name: 'most workloads', before: site, after: without('crm-1', 'crm-2', 'crm-3'), held: true },
    { name: 'nothing', before: site, after: site, held: false },
  ];
  for (const { name, before, after, held } of cuts) {
    const it = await stage(t);
    await it.offer(before);
    const next = await it.restart();
    // As the directory is read anew: equal, and not the same objects.
    await next.offer(structuredClone(after));
    t.equal(next.publisher.status().held !== null, held, name);
    await next.close();
  }
});

t.test('the only workload of one object and of another may go in two edits, and never in one with many', async (t) => {
  const it = await stage(t);
  await it.offer(site);
  for (const gone of [['crm-1'], ['crm-1', 'crm-2'], ['crm-1', 'crm-2', 'crm-3'], ['crm-1', 'crm-2', 'crm-3', 'crm-4']])
    await it.offer(without(...gone));
  t.match(it.publisher.status(), { held: null, revision: 5 }, 'one after the other');
});

t.test('several objects that lose much are all named, with their shares', async (t) => {
  const both = changed(site, {
    side: { ...front, name: 'side', bind: 'side' },
    policy: policy([rule({ from: [{ cidr: '10.0.0.0/8' }] })]),
  });
  const it = await stage(t);
  await it.offer(both);
  await it.offer(changed(both, { policy: policy([rule({ from: [{ cidr: '10.0.0.0/10' }] })]) }));
  t.strictSame(it.publisher.status().held?.objects, [
    { object: 'order-front', lostShare: 0.75 },
    { object: 'side', lostShare: 0.75 },
  ]);
});
