/** Totals of what a host begins itself: never twice, never backwards, whatever becomes of counters, of the agent and of its disk. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { OutgoingCounter } from '../driver/index.ts';
import { countOn, newCount, readCount } from '../src/outgoing/outgoing-count.ts';
import { type OutgoingTotals, openOutgoing } from '../src/outgoing/outgoing-totals.ts';

const EVERY_MS = 60_000;

const counters = (tcp: number, udp = 0, other = 0, tcp6 = 0): OutgoingCounter[] => [
  { family: 'inet', protocol: 'tcp', packets: tcp },
  { family: 'inet', protocol: 'udp', packets: udp },
  { family: 'inet', protocol: 'other', packets: other },
  { family: 'inet6', protocol: 'tcp', packets: tcp6 },
];

t.test('what is added is what a counter has more, or all of one that began again', async (t) => {
  const cases: [string, OutgoingCounter[][], { tcp: number; udp: number; other: number }][] = [
    ['nothing was read', [], { tcp: 0, udp: 0, other: 0 }],
    ['both families', [counters(3, 2, 1, 4)], { tcp: 7, udp: 2, other: 1 }],
    ['the same once more', [counters(3, 2, 1), counters(3, 2, 1)], { tcp: 3, udp: 2, other: 1 }],
    ['some more', [counters(3, 2), counters(5, 2)], { tcp: 5, udp: 2, other: 0 }],
    ['one began again', [counters(5, 2), counters(1, 3)], { tcp: 6, udp: 3, other: 0 }],
    ['all of them went, and came again', [counters(5), [], counters(2)], { tcp: 7, udp: 0, other: 0 }],
    ['they went', [counters(5, 1), []], { tcp: 5, udp: 1, other: 0 }],
  ];
  for (const [name, readings, totals] of cases)
    t.strictSame(readings.reduce(countOn, newCount('boot')).totals, totals, name);
});

t.test('after a boot all counters are new', async (t) => {
  const text = JSON.stringify(countOn(newCount('one'), counters(5)));
  t.equal(countOn(readCount(text, 'one'), counters(6)).totals.tcp, 6);
  t.equal(countOn(readCount(text, 'other'), counters(6)).totals.tcp, 11);
});

interface Opened {
  totals: OutgoingTotals;
  path: string;
  troubles: unknown[];
  again(boot?: string): Promise<OutgoingTotals>;
}

async function opened(t: { testdir(): string }): Promise<Opened> {
  const path = join(t.testdir(), 'denials', 'outgoing.json');
  const troubles: unknown[] = [];
  const trouble = (thrown: unknown): void => {
    if (thrown !== null) troubles.push(thrown);
  };
  const again = (boot = 'boot'): Promise<OutgoingTotals> => openOutgoing({ path, boot, everyMs: EVERY_MS, trouble });
  return { totals: await again(), path, troubles, again };
}

t.test('what is told is on disk: no total that somebody saw is smaller after a kill, or a boot', async (t) => {
  const { totals, again, path } = await opened(t);
  t.strictSame(totals.told(), { tcp: 0, udp: 0, other: 0 });
  await totals.take(counters(0), 0);
  await totals.take(counters(3), 1000);
  t.equal(totals.told().tcp, 3, 'the first at once');
  const before = readFileSync(path, 'utf8');
  await totals.take(counters(9), 2000);
  t.equal(totals.told().tcp, 3, 'then once in a while');
  t.equal(readFileSync(path, 'utf8'), before, 'and it is not written');
  const heir = await again();
  t.equal(heir.told().tcp, 3, 'killed there');
  await heir.take(counters(11), 3000);
  t.equal(heir.told().tcp, 11, 'what was counted meanwhile is added once');
  const booted = await again('another');
  await booted.take(counters(2), 4000);
  t.equal(booted.told().tcp, 13);
  await booted.take(counters(5), 5000);
  t.equal(booted.told().tcp, 13);
  await booted.close();
  t.equal((await again('another')).told().tcp, 16, 'who ends well has written all');
});

t.test('where counters began again it is written at once: an heir would take the new for the old', async (t) => {
  const { totals, again } = await opened(t);
  await totals.take(counters(10), 0);
  await totals.take([], 1000);
  await totals.take(counters(12), 2000);
  const heir = await again();
  await heir.take(counters(12), 3000);
  t.equal(heir.told().tcp, 22);
});

t.test('a clock that was set back holds nothing up', async (t) => {
  const { totals } = await opened(t);
  await totals.take(counters(1), 10 * EVERY_MS);
  await totals.take(counters(2), 0);
  t.equal(totals.told().tcp, 2);
});

t.test('a file that is damaged is said, and counting begins anew', async (t) => {
  for (const text of [
    '',
    '{',
    '{"v":2}',
    '{"v":1,"boot":"boot","baseline":{},"totals":{"tcp":-1,"udp":0,"other":0}}',
  ]) {
    const { totals, path, troubles, again } = await opened(t);
    await totals.take(counters(1), 0);
    writeFileSync(path, text);
    const heir = await again();
    t.equal(troubles.length, 1, text);
    await heir.take(counters(4), 0);
    t.strictSame(heir.told(), { tcp: 4, udp: 0, other: 0 }, text);
  }
});

t.test(
  'a disk that takes nothing is said; the total stands still, and nothing is lost when it is mended',
  async (t) => {
    const { totals, path, troubles } = await opened(t);
    await totals.take(counters(1), 0);
    const folder = join(path, '..');
    rmSync(folder, { recursive: true });
    writeFileSync(folder, 'no folder');
    await totals.take(counters(5), EVERY_MS);
    t.equal(totals.told().tcp, 1);
    t.equal(troubles.length, 1);
    rmSync(folder);
    await totals.take(counters(6), 2 * EVERY_MS);
    t.equal(totals.told().tcp, 6);
  },
);
