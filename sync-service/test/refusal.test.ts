import t from 'tap';
import { refusalOf } from '../src/store/refusal.ts';

const failed = (code: string, message = 'it did not work') => ({ code, message, mend: 'try again', at: 1 });
const behind = { state: 'behind', desiredRevision: 7 } as const;

t.test(
  'a store hears of a refusal when something is wrong with the policy at the point, and not when another service was quicker',
  (t) => {
    const table = {
      EDW_ERR_ZONE_TOO_SMALL: true,
      EDW_ERR_POINT_FROZEN: true,
      EDW_ERR_POINT_TAKEN: false,
      EDW_ERR_REVISION_OLDER: false,
    };
    for (const [code, isTold] of Object.entries(table)) {
      const told = refusalOf({ ...behind, lastError: failed(code) });
      t.strictSame(told, isTold ? { revision: 7, stage: 'apply', code, message: 'it did not work' } : null, code);
    }
    t.end();
  },
);

t.test('a point that is away, or that is being written, has refused nothing', (t) => {
  const lastError = failed('EDW_ERR_POINT_UNREACHABLE');
  t.equal(refusalOf({ state: 'unreachable', desiredRevision: 7, lastError }), null);
  t.equal(refusalOf({ state: 'applying', desiredRevision: 7, lastError: failed('EDW_ERR_ZONE_TOO_SMALL') }), null);
  t.equal(refusalOf({ ...behind, lastError: null }), null);
  t.end();
});

t.test('what a point has to say is told in a thousand characters', (t) => {
  const told = refusalOf({ ...behind, lastError: failed('EDW_ERR_POINT_DRIVER', 'x'.repeat(5_000)) });
  t.equal(told?.message.length, 1_000);
  t.end();
});
