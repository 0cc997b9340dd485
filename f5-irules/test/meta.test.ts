/** What meta says survives being written and read, whatever its size, and what is strange in it does no harm. */
import t from 'tap';
import { emptyMeta, keptSets, type Meta, metaRecords, readMeta } from '../driver/meta.ts';

const name = (n: number): string => `eg_s_${n.toString(16).padStart(20, '0')}`;
const names = (count: number): string[] => Array.from({ length: count }, (_, n) => name(n));

t.test('what was written is read again; long lists go on in further records', (t) => {
  for (const count of [0, 1, 2000, 2307, 2308, 9000]) {
    const meta: Meta = {
      saved: { revision: 12, policyHash: 'a'.repeat(64) },
      repairs: 3,
      applied: '2026-11-22T00:00:00.000Z',
      sets: new Map([
        [11, [name(1)]],
        [12, names(count)],
      ]),
    };
    const records = metaRecords(meta);
    t.ok(
      records.every(({ data }) => data.length <= 60_000),
      `${count} names: no value that a box refuses`,
    );
    const read = readMeta([...records].reverse());
    t.strictSame({ ...read, sets: null }, { ...meta, sets: null });
    t.strictSame(new Set(read.sets.get(12)), new Set(names(count)), `${count} names`);
  }
  t.end();
});

t.test('what nobody of us can have written is as if it were not there', (t) => {
  const strange = [
    { name: 'revision', data: '-1' },
    { name: 'policy', data: 'x' },
    { name: 'sets.x', data: name(1) },
    { name: 'sets.99999999999999999999', data: name(1) },
    { name: '$(reboot)', data: '[exec reboot]' },
  ];
  t.strictSame(readMeta(strange), emptyMeta);
  t.strictSame(readMeta([]), emptyMeta);
  t.end();
});

t.test('the newest revisions keep their groups, and nothing newer than what is in force', (t) => {
  const meta: Meta = { ...emptyMeta, sets: new Map([1, 2, 3, 9].map((revision) => [revision, [name(revision)]])) };
  t.strictSame([...keptSets(meta, null, { revision: 4, names: [name(4)] }, 3).keys()], [4, 3, 2]);
  t.strictSame([...keptSets(meta, null, { revision: 4, names: [] }, 0).keys()], [4], 'the one in force always');
  t.end();
});

t.test('the same revision with other content keeps the groups of both', (t) => {
  const meta: Meta = { ...emptyMeta, sets: new Map([[4, [name(1), name(2)]]]) };
  t.strictSame(keptSets(meta, null, { revision: 4, names: [name(2), name(3)] }, 3).get(4), [name(1), name(2), name(3)]);
  t.end();
});
