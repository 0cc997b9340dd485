import t from 'tap';
import { createRepairPace } from '../../src/guard/repair-pace.ts';

const MINUTE = 60_000;

t.test('four repairs in a minute follow at once; from the fifth on pauses double, to half a minute', async (t) => {
  const pace = createRepairPace();
  let nowMs = 1_000_000;
  for (let repair = 1; repair <= 4; repair += 1) {
    pace.repaired(nowMs);
    t.strictSame([pace.dueInMs(nowMs), pace.contended()], [0, false], `repair ${repair}`);
    nowMs += 1000;
  }
  const pauses: number[] = [];
  for (let repair = 5; repair <= 12; repair += 1) {
    pace.repaired(nowMs);
    pauses.push(pace.dueInMs(nowMs));
    nowMs += pace.dueInMs(nowMs);
    t.equal(pace.dueInMs(nowMs), 0, `repair ${repair} is due after its pause`);
  }
  t.strictSame(pauses, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  t.ok(pace.contended());
});

t.test('it is calm again when nothing had to be repaired for a minute', async (t) => {
  const pace = createRepairPace();
  for (let repair = 0; repair < 5; repair += 1) pace.repaired(1000);
  pace.foundWhole(1000 + MINUTE - 1);
  t.ok(pace.contended(), 'not yet');
  pace.foundWhole(1000 + MINUTE);
  t.strictSame([pace.contended(), pace.dueInMs(1000 + MINUTE)], [false, 0], 'now');
});

t.test('repairs that are far apart are no fight, and a clock that is set back holds none up', async (t) => {
  const pace = createRepairPace();
  for (let repair = 0; repair < 20; repair += 1) pace.repaired(repair * 16_000);
  t.notOk(pace.contended(), 'one each 16 s');
  for (let repair = 0; repair < 5; repair += 1) pace.repaired(10_000_000);
  t.ok(pace.dueInMs(5000) <= 1000, 'set back by hours');
});
