import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { startable } from '../../../test/kit/program.ts';
import { openLedgerHere } from '../../src/ledger/sqlite/sqlite-ledger.ts';
import { dice, kill } from '../killing.ts';
import { t0 } from '../kit.ts';
import { refsIn } from './fixtures.ts';

const numbers = 1_200;
const maxKills = 40;
const moments = ['begun', 'day-committed', 'committed', 'outside'] as const;
const seed = Number(process.env.EDGEWARD_SEED ?? Date.now() & 0x7fffffff);
const dayMs = 86_400_000;

t.test(
  `killed at any step between two files, each event is there once and every sum is its own (EDGEWARD_SEED=${seed})`,
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'edgeward-ledger-'));
    t.teardown(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, 'ledger.db');
    const draw = dice(seed);
    const kills = new Map<string, number>();
    let [child, moment]: [ChildProcess | null, string] = [null, ''];
    t.teardown(() => kill(child));
    const start = async (): Promise<ChildProcess> => {
      moment = moments[draw(moments.length - 1)] ?? 'outside';
      const started = fork(
        startable(join(import.meta.dirname, 'ledger-child.ts')),
        [file, moment, String(1 + draw(12))],
        {
          execArgv: ['--conditions=edgeward-source', '--no-warnings'],
        },
      );
      child = started;
      await once(started, 'message');
      return started;
    };
    /** false: it was killed over it. */
    const store = async (to: ChildProcess, seqs: number[], storedMs: number): Promise<boolean> => {
      const over = new AbortController();
      const stored = once(to, 'message', { signal: over.signal }).then(() => true);
      const ended = once(to, 'exit', { signal: over.signal }).then(() => false);
      // One that was killed after it had answered hears nothing: its exit tells.
      to.send({ seqs, storedMs }, () => {});
      if (moment === 'outside' && draw(9) === 0) {
        await setTimeout(draw(3));
        to.kill('SIGKILL');
      }
      const result = await Promise.race([stored, ended]);
      over.abort();
      await Promise.allSettled([stored, ended]);
      return result;
    };

    let [next, day, allKills] = [1, 0, 0];
    let running = await start();
    while (next <= numbers && allKills < maxKills) {
      const size = 1 + draw(29);
      const seqs = Array.from({ length: Math.min(size, numbers - next + 1) }, (_, i) => next + i);
      // Days go on, and now and then one back: the file that a killed batch was in is not always the next that is written.
      if (draw(5) === 0) day += draw(3) - 1;
      if (await store(running, seqs, t0 + day * dayMs)) next += seqs.length;
      else {
        allKills += 1;
        kills.set(moment, (kills.get(moment) ?? 0) + 1);
        running = await start();
      }
    }
    await kill(child);
    t.ok(allKills > 3, `killed: ${JSON.stringify(Object.fromEntries(kills))}`);

    const lost: unknown[] = [];
    const ledger = await openLedgerHere({ file, onDayLost: (error) => lost.push(error) });
    t.teardown(() => ledger.close());
    const refs = await refsIn(ledger);
    t.strictSame(
      refs.map((ref) => Number(ref?.split('/')[2])).toSorted((a, b) => a - b),
      Array.from({ length: next - 1 }, (_, i) => i + 1),
    );
    const { totals, sequences } = ledger.sums();
    const sums = [totals, await ledger.minutes({}), await ledger.hours({}), await ledger.edges({})];
    const counts = sums.map((rows: { count: number }[]) => rows.reduce((all, { count }) => all + count, 0));
    t.strictSame(counts, [next - 1, next - 1, next - 1, next - 1]);
    t.match(sequences, [{ stored: next - 1, missing: 0 }]);
    t.strictSame(lost, []);
    const ids = (await ledger.denials({ limit: 10_000 })).map(({ id }) => id);
    t.equal(new Set(ids).size, ids.length, 'no id is given twice');
  },
);
