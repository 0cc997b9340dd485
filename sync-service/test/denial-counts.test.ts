/** What a store is told of denials: how many since this service began, whatever the ledger remembers. */
import t from 'tap';
import { countDenials } from '../src/denial-counts.ts';

function ledger(enforced: Record<string, number>) {
  const it = {
    enforced,
    status: () => Object.entries(it.enforced).map(([point, total]) => ({ point, enforced: total })) as never[],
    listeners: () => [{ point: 'bigip-1', observed: 40 }] as never[],
  };
  return it;
}

t.test('denials are counted from the beginning, and never go back', async (t) => {
  let nowMs = 1_000;
  const collector = ledger({ 'edge-1': 1_000_000 });
  const counts = countDenials(collector, () => nowMs);
  t.strictSame(counts.of('edge-1'), { total: 0, sinceMs: 1_000 }, 'nothing was asked of the point yet');
  nowMs = 3_000;
  counts.begin('edge-1');
  collector.enforced = { 'edge-1': 1_000_012 };
  counts.begin('edge-1');
  t.strictSame(counts.of('edge-1'), { total: 12, sinceMs: 3_000 }, 'twice begun is begun once');
  collector.enforced = { 'edge-1': 5 };
  t.strictSame(counts.of('edge-1'), { total: 12, sinceMs: 3_000 }, 'a ledger that was made anew');
});

t.test('a point that sends its denials counts as well; one that nobody knows has none', async (t) => {
  const counts = countDenials(ledger({}), () => 1_000);
  counts.begin('bigip-1');
  counts.begin('edge-9');
  t.strictSame(counts.of('bigip-1'), { total: 0, sinceMs: 1_000 });
  t.strictSame(counts.of('edge-9'), { total: 0, sinceMs: 1_000 });
});

t.test('what a host counted is what it said, from the first time on that it said something', async (t) => {
  let said: number | null = null;
  const counts = countDenials(
    ledger({ 'host-1': 7 }),
    () => 1_000,
    (point) => (point === 'host-1' ? said : null),
  );
  said = 500;
  counts.begin('host-1');
  said = 530;
  t.strictSame(counts.of('host-1'), { total: 30, sinceMs: 1_000 });
  said = 2;
  t.strictSame(counts.of('host-1'), { total: 30, sinceMs: 1_000 }, 'an agent that was made anew');
});
