import t from 'tap';
import { eventName, type LedgerLife, placeIn } from '../../src/ledger/lives.ts';

/** Put back after the 100th event, and once more after two that the second life had. */
const lives: LedgerLife[] = [
  { epoch: 'a', afterId: 0 },
  { epoch: 'b', afterId: 100 },
  { epoch: 'c', afterId: 102 },
];

t.test('an event has the name of the life that it was stored in, whatever came after', async (t) => {
  const table: [id: number, epoch: string, seq: number][] = [
    [1, 'a', 1],
    [100, 'a', 100],
    [101, 'b', 1],
    [102, 'b', 2],
    [103, 'c', 1],
  ];
  for (const [id, epoch, seq] of table) t.strictSame(eventName(lives, id), { epoch, seq }, `${id}`);
  const twice = [...lives, { epoch: 'd', afterId: 102 }];
  t.strictSame(eventName(twice, 103), { epoch: 'd', seq: 1 }, 'a life without an event names none');
});

t.test(
  'whoever knew an earlier life goes on from where it parted, and nobody goes on from another ledger',
  async (t) => {
    const table: [name: string, epoch: string, afterId: number, place: number | null][] = [
      ['everything was sent, and more than was put back', 'a', 150, 100],
      ['not everything was sent', 'a', 40, 40],
      ['of the life between', 'b', 110, 102],
      ['of now', 'c', 110, 110],
      ['of another ledger', 'x', 5, null],
    ];
    for (const [name, epoch, afterId, place] of table) t.equal(placeIn(lives, epoch, afterId), place, name);
  },
);
