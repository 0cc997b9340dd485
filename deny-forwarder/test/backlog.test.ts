/**
 * A collector that was away for long: what waits is in the spool, and behind it in the log; then all of it arrives, once, with the memory
 * that the unit gives. 10,000 denials; EDGEWARD_RUNS=100 is a million.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { runs } from '../../test/parity/random-runs.ts';
import { killableForwarder } from './killable-forwarder.ts';
import { sceneOf, until } from './kit.ts';

const denials = Math.min(1_000_000, runs(10_000));

t.setTimeout(400_000 + denials);

t.test(`a backlog of ${denials} denials arrives once`, async (t) => {
  const scene = await sceneOf(t);
  for (let from = 0; from < denials; from += 10_000) scene.write(from, Math.min(denials, from + 10_000), true);
  // Of a million a tenth is in the spool.
  const forwarder = killableForwarder(t, scene, { maxSpoolBytes: Math.max(8, denials / 20_000) * 1024 * 1024 });
  await forwarder.start();
  const read = async (): Promise<boolean> =>
    (await forwarder.metric('edgeward_forwarder_holding')) === 1 ||
    (await forwarder.metric('edgeward_forwarder_lines_read_total')) === denials;
  for (let turn = 0; turn < 100 && !(await read()); turn += 1) await sleep(turn * 20);
  t.comment(`${await forwarder.metric('edgeward_forwarder_spool_records')} of them in the spool`);
  await scene.listen();
  await forwarder.kill();
  await forwarder.start();
  const stored = (): number => scene.collector.spools()[0]?.stored ?? 0;
  for (let before = -1; stored() < denials; before = stored())
    await until(`more than ${before} are stored`, () => stored() > before);
  const peakMb = Math.round(forwarder.peakBytes() / 1024 / 1024);
  t.comment(`${peakMb} MB at most`);
  t.match(scene.collector.spools(), [{ stored: denials, missing: 0, gaps: {}, unparsed: {}, losses: {} }]);
  t.equal(new Set(await scene.refs()).size, denials, 'none of them twice');
});
