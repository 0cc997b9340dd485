/** What a forwarder says of an NGINX elsewhere, and up to when it is believed. */
import t from 'tap';
import { createForwarderStatements } from '../src/forwarder-statements.ts';

t.test('that nothing waits is believed as of the statement before two that say it', async (t) => {
  const statements = createForwarderStatements();
  const says = (heardAtMs: number, isNothingWaiting: boolean): number | null => {
    statements.heard('edge-1', { heardAtMs, isNothingWaiting });
    return statements.readUpToMs('edge-1');
  };
  const steps: [heardAtMs: number, isNothingWaiting: boolean, readUpToMs: number | null, name: string][] = [
    [1, true, null, 'the first: it may not have looked yet'],
    [1, true, null, 'asked again'],
    [2, true, null, 'nobody knows when the first was said'],
    [3, true, 1, 'two after the first'],
    [4, false, null, 'something waits'],
    [5, true, null, 'the first after it, which may be of another process'],
    [6, true, 4, 'and the second'],
    [6, true, 4, 'asked again'],
    [7, true, 5, 'and on'],
  ];
  for (const [heardAtMs, isNothingWaiting, readUpToMs, name] of steps)
    t.equal(says(heardAtMs, isNothingWaiting), readUpToMs, name);
  t.equal(statements.readUpToMs('edge-2'), null);
});
