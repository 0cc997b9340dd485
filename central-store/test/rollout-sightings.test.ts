/** What is made of reports: presence, what was applied, refusals, and rates of denials. */
import type { PointReport } from '@edgeward/policy-format';
import t from 'tap';
import { createDenialHistory } from '../src/rollout/denial-history.ts';
import { createGivenHeads } from '../src/rollout/given-heads.ts';
import { isHearing, isPresent } from '../src/rollout/sight.ts';
import { createSightings } from '../src/rollout/sightings.ts';
import { HOUR, MINUTE, NOW, SECOND } from './rollout-kit.ts';

function report(more: Partial<PointReport> = {}): PointReport {
  return {
    ...{ typ: 'edgeward-report/1', point: 'edge-1', at: new Date(NOW).toISOString(), service: 'sync-1', epoch: 1 },
    ...{ revision: 10, applied: 10, state: 'current', nack: null, witnessed: null, contradicted: false },
    denials: { total: 0, sinceMs: NOW - HOUR },
    ...more,
  };
}

const nack = (revision: number) => ({ revision, stage: 'fence' as const, code: 'EDW_ERR_FENCE', message: 'outside' });

t.test('a report counts for the version when it speaks of a revision that the point was given with it', async (t) => {
  const cases: { name: string; said: Partial<PointReport>; applied: boolean; refused: boolean }[] = [
    { name: 'the revision before', said: { applied: 10 }, applied: false, refused: false },
    { name: 'its first revision', said: { applied: 11 }, applied: true, refused: false },
    { name: 'a later one that it was given', said: { applied: 13 }, applied: true, refused: false },
    { name: 'a later one of somebody else', said: { applied: 14 }, applied: false, refused: false },
    { name: 'one between that it was not given', said: { applied: 12 }, applied: false, refused: false },
    { name: 'taken over and not applied', said: { revision: 11, applied: 10 }, applied: false, refused: false },
    { name: 'nothing applied', said: { applied: null }, applied: false, refused: false },
    { name: 'an older epoch', said: { epoch: 0, applied: 11 }, applied: false, refused: false },
    { name: 'an epoch of somebody else', said: { epoch: 2, applied: 11 }, applied: false, refused: false },
    { name: 'a refusal of it', said: { nack: nack(11) }, applied: false, refused: true },
    {
      name: 'bytes of it that were not to be had',
      said: { nack: { ...nack(11), stage: 'fetch' } },
      applied: false,
      refused: false,
    },
    { name: 'a refusal from before', said: { nack: nack(10) }, applied: false, refused: false },
  ];
  for (const { name, said, applied, refused } of cases) {
    const it = createSightings(NOW);
    it.served('edge-1', { version: 1, epoch: 1, revision: 9 }, NOW);
    it.served('edge-1', { version: 2, epoch: 1, revision: 11 }, NOW);
    it.served('edge-1', { version: 2, epoch: 1, revision: 13 }, NOW + SECOND);
    it.heard(report(said), NOW + MINUTE);
    const sight = it.look(['edge-1'], 2, NOW + MINUTE).points.get('edge-1');
    t.equal(sight?.appliedMs, applied ? NOW + MINUTE : null, name);
    t.equal(sight?.nack !== null, refused, name);
    t.equal(sight?.servedMs, NOW, name);
    t.match(it.look(['edge-1'], 3, NOW).points.get('edge-1'), { appliedMs: null, nack: null, servedMs: null }, name);
  }
});

t.test('a number from elsewhere is not applied, though the store numbers above it later', async (t) => {
  const it = createSightings(NOW);
  const applied = (): number | null => it.look(['edge-1'], 2, NOW).points.get('edge-1')?.appliedMs ?? null;
  it.served('edge-1', { version: 2, epoch: 1, revision: 11 }, NOW);
  it.heard(report({ applied: 5_000 }), NOW);
  it.served('edge-1', { version: 2, epoch: 1, revision: 5_001 }, NOW + SECOND);
  t.equal(applied(), null);
  it.served('edge-1', { version: 2, epoch: 2, revision: 5_002 }, NOW + SECOND);
  it.heard(report({ epoch: 2, applied: 5_001 }), NOW + SECOND);
  t.equal(applied(), null, 'of another epoch');
  it.heard(report({ epoch: 2, applied: 5_002 }), NOW + 2 * SECOND);
  t.equal(applied(), NOW + 2 * SECOND);
});

t.test('a point has applied the version with any head that it was given, however many came since', async (t) => {
  const cases: { name: string; every: number; said: number; applied: boolean }[] = [
    { name: 'the first of neighbours', every: 1, said: 11, applied: true },
    { name: 'one in the middle', every: 1, said: 4_711, applied: true },
    { name: 'the last', every: 1, said: 10_010, applied: true },
    { name: 'the one after it', every: 1, said: 10_011, applied: false },
    { name: 'the one before the first', every: 1, said: 10, applied: false },
    { name: 'the first, where others were given every second one', every: 2, said: 11, applied: true },
    { name: 'one in the middle, likewise', every: 2, said: 4_711, applied: true },
    { name: 'the last, likewise', every: 2, said: 20_009, applied: true },
    { name: 'one of the others', every: 2, said: 4_712, applied: false },
  ];
  for (const { name, every, said, applied } of cases) {
    const it = createSightings(NOW);
    for (let n = 0; n < 10_000; n += 1)
      for (const time of [NOW, NOW + SECOND])
        it.served('edge-1', { version: 2, epoch: 1, revision: 11 + n * every }, time);
    it.heard(report({ applied: said }), NOW + HOUR);
    t.equal(it.look(['edge-1'], 2, NOW).points.get('edge-1')?.appliedMs, applied ? NOW + HOUR : null, name);
  }
});

t.test(
  'where there is room for no more, who was given most forgets its oldest, and nobody else anything',
  async (t) => {
    const it = createGivenHeads(1_000);
    const givenEverySecond = (point: string, epoch: number, count: number): void => {
      for (let n = 1; n <= count; n += 1) it.add(point, epoch, 2 * n);
    };
    const held = (point: string, epoch: number): number =>
      Array.from({ length: 20_000 }, (_, revision) => it.has(point, epoch, revision)).filter((has) => has).length;
    givenEverySecond('late', 1, 200);
    givenEverySecond('late', 2, 100);
    givenEverySecond('lost', 1, 5_000);
    t.strictSame([held('late', 1), held('late', 2), held('late', 3)], [200, 100, 0]);
    t.ok(held('lost', 1) >= 350 && held('lost', 1) <= 700, `${held('lost', 1)} of it fit in`);
    t.ok(it.has('lost', 1, 10_000), 'the newest');
    t.notOk(it.has('lost', 1, 2), 'the oldest');
    it.forget('lost');
    t.equal(held('lost', 1), 0);
    givenEverySecond('next', 1, 700);
    t.strictSame([held('next', 1), held('late', 1)], [700, 200], 'and its room is there for others');
  },
);

t.test('it is all the same whether the report or the head is known first', async (t) => {
  const it = createSightings(NOW);
  it.heard(report({ applied: 11 }), NOW);
  it.served('edge-1', { version: 2, epoch: 1, revision: 11 }, NOW);
  t.equal(it.look(['edge-1'], 2, NOW).points.get('edge-1')?.appliedMs, NOW);
});

t.test('of several services at a point each counts, and a refusal of one that is gone is past', async (t) => {
  const it = createSightings(NOW);
  it.served('edge-1', { version: 2, epoch: 1, revision: 11 }, NOW);
  it.heard(report({ service: 'a', applied: 11 }), NOW);
  it.heard(report({ service: 'b', applied: 10, nack: nack(11) }), NOW + SECOND);
  it.heard(report({ service: 'a', applied: 11 }), NOW + 4 * MINUTE);
  t.match(it.look(['edge-1'], 2, NOW + MINUTE).points.get('edge-1'), { appliedMs: NOW, nack: nack(11) });
  t.match(it.look(['edge-1'], 2, NOW + 4 * MINUTE).points.get('edge-1'), { appliedMs: NOW, nack: null });
});

t.test('a version that comes a second time is applied a second time', async (t) => {
  const it = createSightings(NOW);
  const applied = (): number | null => it.look(['edge-1'], 2, NOW).points.get('edge-1')?.appliedMs ?? null;
  it.served('edge-1', { version: 2, epoch: 1, revision: 11 }, NOW);
  it.heard(report({ applied: 11 }), NOW);
  t.equal(applied(), NOW);
  it.served('edge-1', { version: 1, epoch: 1, revision: 12 }, NOW);
  t.equal(applied(), null);
  it.served('edge-1', { version: 2, epoch: 1, revision: 13 }, NOW);
  it.heard(report({ applied: 12 }), NOW + SECOND);
  t.equal(applied(), null, 'what it holds is from between');
  it.heard(report({ applied: 13 }), NOW + 2 * SECOND);
  t.equal(applied(), NOW + 2 * SECOND);
});

t.test('a point is away when others are heard and it is not', async (t) => {
  const it = createSightings(NOW);
  const away = (nowMs: number): string => {
    const seen = it.look(['edge-1', 'edge-2', 'edge-3'], 2, nowMs);
    const names = ['edge-1', 'edge-2', 'edge-3'].filter((name) => !isPresent(seen.points.get(name), seen, NOW, nowMs));
    return `${isHearing(seen, nowMs) ? 'hearing' : 'alone'} ${names.join(' ')}`.trim();
  };
  t.equal(away(NOW), 'alone');
  for (let minute = 0; minute <= 6; minute += 1) it.heard(report({ point: 'edge-2' }), NOW + minute * MINUTE);
  t.equal(away(NOW + 2 * MINUTE), 'hearing');
  t.equal(away(NOW + 4 * MINUTE), 'hearing edge-1 edge-3', 'never heard of');
  it.heard(report(), NOW + 6 * MINUTE);
  t.equal(away(NOW + 6 * MINUTE), 'hearing edge-3');
  t.equal(away(NOW + 20 * MINUTE), 'alone edge-1 edge-2 edge-3');
  it.heard(report({ point: 'edge-2' }), NOW + 20 * MINUTE);
  t.equal(away(NOW + 20 * MINUTE), 'hearing', 'the store was alone: the others have their time again');
  t.equal(it.look(['edge-2'], 2, NOW).points.get('edge-2')?.presentMs, NOW + 20 * MINUTE);
});

t.test('a clock that was set back keeps nobody present who is gone', async (t) => {
  const it = createSightings(NOW);
  it.heard(report(), NOW + 2 * HOUR);
  it.heard(report({ point: 'edge-2' }), NOW);
  const later = NOW + 4 * MINUTE;
  for (const at of [NOW + 2 * MINUTE, later]) it.heard(report({ point: 'edge-2' }), at);
  const seen = it.look(['edge-1', 'edge-2'], 2, later);
  t.notOk(isPresent(seen.points.get('edge-1'), seen, NOW, later));
  t.ok(isPresent(seen.points.get('edge-2'), seen, NOW, later));
});

t.test('a point that believes no older version says so, whatever is served to it', async (t) => {
  const it = createSightings(NOW);
  it.served('edge-1', { version: 1, epoch: 1, revision: 12 }, NOW);
  it.heard(report({ nack: { ...nack(12), stage: 'approval', code: 'EDW_ERR_APPROVAL_ROLLBACK' } }), NOW);
  t.match(it.look(['edge-1'], 2, NOW).points.get('edge-1'), { nack: null, refusesOlder: true });
});

t.test('denials are counted since a point applied the version, over restarts of its services', async (t) => {
  const it = createSightings(NOW);
  const say = (atMs: number, total: number, sinceMs = NOW - HOUR, service = 'sync-1'): void =>
    it.heard(report({ applied: 11, service, denials: { total, sinceMs } }), atMs);
  const denials = () => it.look(['edge-1'], 2, NOW).points.get('edge-1')?.denials;
  it.heard(report({ denials: { total: 50, sinceMs: NOW - HOUR } }), NOW);
  it.served('edge-1', { version: 2, epoch: 1, revision: 11 }, NOW);
  t.equal(denials(), null);
  say(NOW + SECOND, 52);
  t.strictSame(denials(), { count: 0, forMs: 0 });
  say(NOW + MINUTE, 60);
  t.strictSame(denials(), { count: 8, forMs: 59 * SECOND });
  say(NOW + 2 * MINUTE, 5, NOW + MINUTE);
  t.equal(denials()?.count, 13, 'its counter began anew');
  say(NOW + 3 * MINUTE, 900, NOW - HOUR, 'sync-2');
  t.equal(denials()?.count, 13, 'another service has counted the past as well');
  say(NOW + 4 * MINUTE, 903, NOW - HOUR, 'sync-2');
  t.equal(denials()?.count, 16);
});

t.test('denials count once, in whatever order reports of a service come', async (t) => {
  const counted = (...said: [total: number, sinceMs: number][]): number => {
    const it = createDenialHistory();
    for (const [total, sinceMs] of said) it.add({ service: 'sync-1', denials: { total, sinceMs } }, NOW);
    return it.total();
  };
  t.equal(counted([100, NOW], [110, NOW], [110, NOW]), 10, 'twice');
  t.equal(counted([100, NOW], [110, NOW], [105, NOW], [112, NOW]), 12, 'one comes late');
  t.equal(counted([100, NOW], [3, NOW + HOUR], [108, NOW], [4, NOW + HOUR]), 12, 'late, over a restart');
  const twins: [number, number][] = [1, 2, 3].flatMap((n) => [
    [100 + n, NOW],
    [500 + n, NOW - HOUR],
  ]);
  t.equal(counted(...twins), 4, 'two services of one name');
});

t.test('the rate before is that of the last hour, or of as much of it as is known', async (t) => {
  const at = (minutes: number): number => NOW + minutes * MINUTE;
  const rate = (said: [minutes: number, total: number, sinceMinutes?: number][], nowMinutes: number): number => {
    const it = createDenialHistory();
    for (const [minutes, total, since = 0] of said)
      it.add({ service: 'sync-1', denials: { total, sinceMs: at(since) } }, at(minutes));
    return Math.round(it.perHour(at(nowMinutes)));
  };
  const everyMinute = (count: number, each: number) =>
    Array.from({ length: count }, (_, i): [number, number] => [i, i * each]);
  t.equal(rate([], 0), 0, 'nothing is known');
  t.equal(rate([[1, 500, 0]], 1), 0, 'a minute is no hour');
  t.equal(rate([[600, 1_000, 0]], 600), 100, 'a service that has counted for ten hours');
  t.equal(rate(everyMinute(31, 2), 30), 120, 'half an hour of reports');
  t.equal(rate(everyMinute(301, 2), 300), 120);
  t.equal(
    rate([...everyMinute(121, 10), ...everyMinute(61, 0).map(([m]): [number, number] => [121 + m, 1_200])], 181),
    0,
  );
  t.equal(rate([...everyMinute(61, 1), [61, 3, 60]], 61), 62, 'the hour, over a restart');
});

t.test('a point costs the same however often it reports', async (t) => {
  const it = createDenialHistory();
  for (let second = 0; second < 8 * 3_600; second += 1)
    it.add({ service: `s-${second % 40}`, denials: { total: second, sinceMs: NOW } }, NOW + second * SECOND);
  t.ok(it.perHour(NOW + 8 * HOUR) >= 0);
  t.ok(it.kept() <= 64 + 8);
});
