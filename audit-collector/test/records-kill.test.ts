import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import t from 'tap';
import { childEnvironment } from '../../test/kit/child-environment.ts';
import { startable } from '../../test/kit/program.ts';
import { runs, seed as seedOf } from '../../test/parity/random-runs.ts';
import { openLedgerHere } from '../src/ledger/sqlite/sqlite-ledger.ts';
import { epochs, hostDenials } from './host-records.ts';
import { dice, kill } from './killing.ts';

/** At most 61 of them in one life. */
const numbers = Math.min(9_000, runs(200));
const maxKills = numbers / 5;
const seed = seedOf();
const [epoch] = epochs;

t.test(
  `whenever the collector is killed, what is sent until it is acknowledged is stored once (EDGEWARD_SEED=${seed})`,
  async (t) => {
    const ledgerFile = join(t.testdir({}), 'ledger.db');
    const ledger = await openLedgerHere({ file: ledgerFile });
    t.teardown(() => ledger.close());
    const draw = dice(seed);
    let child: ChildProcess | null = null;
    t.teardown(() => kill(child));
    const start = async (): Promise<ChildProcess> => {
      const moment = draw(1) === 0 ? 'before' : 'after';
      const started = fork(
        startable(join(import.meta.dirname, 'records-child.ts')),
        [ledgerFile, moment, String(1 + draw(60))],
        {
          execArgv: ['--conditions=edgeward-source', '--no-warnings'],
          env: childEnvironment(),
        },
      );
      child = started;
      await once(started, 'message');
      return started;
    };
    /** null: it died over it. */
    const send = async (to: ChildProcess, first: number): Promise<number | null> => {
      const records = hostDenials(first, Math.min(numbers, first + draw(30)) + 1);
      const answered = new AbortController();
      const { signal } = answered;
      const answer = once(to, 'message', { signal }).then(([{ acknowledged }]) => Number(acknowledged));
      const death = once(to, 'exit', { signal }).then(() => null);
      // One that is gone hears nothing: its exit tells.
      to.send({ epoch, records }, () => {});
      const result = await Promise.race([answer, death]);
      answered.abort();
      await Promise.allSettled([answer, death]);
      return result;
    };

    let [acknowledged, kills] = [0, 0];
    let running = await start();
    while (acknowledged < numbers && kills < maxKills) {
      const answer = await send(running, acknowledged + 1);
      if (answer !== null) acknowledged = answer;
      else {
        kills += 1;
        const stored = (await ledger.denials({ limit: 10_000 })).length;
        t.ok(stored >= acknowledged, `${stored} stored, ${acknowledged} of them acknowledged`);
        running = await start();
      }
    }
    await kill(child);
    t.ok(kills > 0, `${kills} kills`);
    const ports = (await ledger.denials({ limit: 10_000 })).map(({ event }) => event.sourcePort);
    t.strictSame(
      ports,
      Array.from({ length: numbers }, (_, i) => i + 1),
    );
    t.match((await ledger.readSums()).spools, [{ stored: numbers, missing: 0 }]);
  },
);
