/**
 * `kill -9` of a forwarder at any moment, on a link that cuts, delays and swallows, while the log is rotated: in the end each line
 * that was written is in the ledger once. What was written is kept here, line by line, before it is written.
 */
import { appendFileSync, copyFileSync, renameSync, truncateSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { denyLine, refs } from '../../deny-log/test/lines.ts';
import { runs, seed } from '../../test/parity/random-runs.ts';
import { badLink, type Fault } from './bad-link.ts';
import { killableForwarder } from './killable-forwarder.ts';
import { sceneOf, until } from './kit.ts';

// Each fault of the link once.
const turns = runs(5);
const start = seed();

/** A number from 0 up to, but not including, `below`; the same for the same seed (mulberry32). */
function dice(): (below: number) => number {
  let state = start;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

t.setTimeout(400_000 + turns * 5_000);

t.test(
  `${turns} kills on a bad link, with rotations: nothing lost, nothing twice (EDGEWARD_SEED=${start})`,
  async (t) => {
    const draw = dice();
    const scene = await sceneOf(t);
    const listener = await scene.listen();
    const link = await badLink(t, listener.port, draw);
    const forwarder = killableForwarder(t, scene, { port: link.port });
    let written = 0;
    const write = (lines: number): void => {
      for (const end = written + lines; written < end; written += 1)
        appendFileSync(scene.log, denyLine({ ref: `ref-${written}`, path: `/${written}` }));
    };
    const rotations = [
      (turn: number) => renameSync(scene.log, `${scene.log}.${turn}`),
      (turn: number) => {
        // Nothing is written between the two, so nothing is lost by it.
        copyFileSync(scene.log, `${scene.log}-${turn}`);
        truncateSync(scene.log, 0);
      },
      () => {},
    ];
    const faults: Fault[] = ['none', 'cut', 'no answer', 'late', 'closed'];
    write(10);
    for (let turn = 0; turn < turns; turn += 1) {
      link.become(faults[turn % faults.length] ?? 'none');
      await forwarder.start();
      for (let burst = 0; burst < 5; burst += 1) {
        write(draw(200));
        if (burst === 2) rotations[draw(rotations.length)]?.(turn);
        await sleep(draw(120));
      }
      await forwarder.kill();
      write(draw(50));
      if (draw(2) === 0) rotations[draw(rotations.length)]?.(turns + turn);
      write(1 + draw(50));
    }
    link.become('none');
    await forwarder.start();
    const stored = (): number => scene.collector.spools()[0]?.stored ?? 0;
    await until(`${written} denials are stored`, () => stored() >= written);
    t.strictSame(await scene.refs(), refs(0, written));
    const { missing, gaps, unparsed } = scene.collector.spools()[0] ?? {};
    t.strictSame({ missing, gaps, unparsed }, { missing: 0, gaps: {}, unparsed: {} });
    const scraped = await scene.registry.metrics();
    const repeated = /^edgeward_events_duplicates_total\{point="edge-1"\} (\d+)$/m.exec(scraped)?.[1];
    t.comment(
      `${written} denials, ${repeated} of them sent again; ${JSON.stringify(scene.collector.spools()[0]?.losses)}`,
    );
  },
);

t.test('killed before the commit, after it, and when it is answered: each line is stored once', async (t) => {
  const scene = await sceneOf(t);
  const forwarder = killableForwarder(t, scene);
  let moment: 'before' | 'after' | 'answered' | null = null;
  let killed: Promise<void> | null = null;
  const killAt = (now: typeof moment): void => {
    if (moment !== now) return;
    moment = null;
    killed = forwarder.kill();
  };
  await scene.listen((intake) => ({
    takeBatch: async (...batch) => {
      killAt('before');
      const answer = await intake.takeBatch(...batch);
      killAt('after');
      // The answer is on its way by then, and may have come.
      setImmediate(() => killAt('answered'));
      return answer;
    },
  }));
  let written = 0;
  const stored = (): number => scene.collector.spools()[0]?.stored ?? 0;
  for (const now of ['before', 'after', 'answered', 'after', 'before'] as const) {
    [moment, killed] = [now, null];
    scene.write(written, written + 50);
    written += 50;
    await forwarder.start();
    await until(`it is killed ${now}`, () => killed !== null);
    await killed;
  }
  await forwarder.start();
  await until('all are stored', () => stored() === written);
  t.strictSame(await scene.refs(), refs(0, written));
  t.match(scene.collector.spools(), [{ missing: 0, gaps: {} }]);
});
