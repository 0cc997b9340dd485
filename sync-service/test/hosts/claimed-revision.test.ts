/** What a stolen host can do to the numbers of everybody: next to nothing. */
import { EdgewardError } from '@edgeward/runtime';
import t from 'tap';
import { createClaimedRevision } from '../../src/hosts/claimed-revision.ts';
import { createRemotePoint } from '../../src/hosts/remote-point.ts';
import { calling, policyFor } from '../fixtures/calling.ts';

t.test('what was given is believed, a little more once, and nothing else', async (t) => {
  const table: [string, [number, number | null, boolean][]][] = [
    ['before anything was given', [[1, null, false]]],
    [
      'what was given, and less',
      [
        [5, 5, true],
        [1, 5, true],
        [0, 5, true],
      ],
    ],
    [
      'a service that was set back',
      [
        [9, 5, true],
        [9, 5, true],
        [9, 10, true],
      ],
    ],
    [
      'once and not again',
      [
        [9, 5, true],
        [10, 5, false],
        [11, 10, false],
        [11, 11, true],
      ],
    ],
    ['as far as a backup is old', [[10_005, 5, true]]],
    [
      'and no further',
      [
        [10_006, 5, false],
        [Number.MAX_SAFE_INTEGER, 5, false],
        [6, 5, true],
      ],
    ],
    [
      'counted from the first that was given',
      [
        [5, 5, true],
        [20_000, 10_100, false],
      ],
    ],
  ];
  for (const [name, steps] of table) {
    const claim = createClaimedRevision();
    for (const [claimed, given, believed] of steps)
      t.equal(claim.isBelieved(claimed, given), believed, `${name}: ${claimed} where ${given} was given`);
  }
});

t.test('a host that claims what it was never given is an error of its own and of nobody else', async (t) => {
  const { shelf, reports, host } = await calling(t);
  const point = createRemotePoint({ name: 'host-1', shelf, reports, applyWaitMs: 1 });
  const policy = policyFor('host-1', 3);
  const one = await host('host-1');
  const hash = policy.hash;
  const codeOf = async (work: () => Promise<unknown>): Promise<string> => {
    try {
      await work();
      return 'done';
    } catch (thrown) {
      return thrown instanceof EdgewardError ? thrown.code : String(thrown);
    }
  };
  await one.report({ applied: { revision: 3, hash }, state: 'applied' });
  t.equal(await codeOf(() => point.inspect()), 'EDW_ERR_HOST_REVISION', 'nobody is asked before there is a policy');
  shelf.put(policy);
  t.match(await point.inspect(), { state: 'loaded', revision: 3 });
  await one.report({ applied: { revision: Number.MAX_SAFE_INTEGER, hash }, state: 'applied' });
  for (const work of [() => point.inspect(), () => point.apply(policy), () => point.probe?.() ?? Promise.resolve()])
    t.equal(await codeOf(work), 'EDW_ERR_HOST_REVISION');
  await one.report({ applied: { revision: 3, hash }, state: 'applied' });
  t.match(await point.apply(policy), { revision: 3, writes: 0 }, 'and over as soon as it is');
});
