import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { childEnvironment } from '../../test/kit/child-environment.ts';
import { startable } from '../../test/kit/program.ts';
import { runs, seed as seedOf } from '../../test/parity/random-runs.ts';
import type { Ledger } from '../src/ledger/ledger.ts';
import { openLedgerHere } from '../src/ledger/sqlite/sqlite-ledger.ts';
import { dice, kill } from './killing.ts';
import { denyStream, refs, until } from './kit.ts';
import { senderTo } from './sender.ts';

/** Two of each moment. */
const kills = runs(6);
/** No more than one question to the ledger answers. */
const numbers = Math.min(9_000, 200 * kills);
const seed = seedOf();

/** Every number up to the highest: its event is there once, or it stands in one gap. */
async function agrees(t: Test, ledger: Ledger): Promise<{ stored: number; missing: number }> {
  const stored = (await ledger.denials({ limit: 10_000 })).map(({ event }) => Number(event.ref?.slice('ref-'.length)));
  const missing = (await ledger.gaps('big-1')).flatMap(({ first, last }) =>
    Array.from({ length: last - first + 1 }, (_, i) => first + i),
  );
  const all = [...stored, ...missing].toSorted((a, b) => a - b);
  t.strictSame(
    all,
    Array.from({ length: all.length }, (_, i) => i + 1),
  );
  const [total = { stored: 0, missing: 0 }] = (await ledger.readSums()).sequences;
  t.strictSame([total.stored, total.missing], [stored.length, missing.length]);
  return { stored: stored.length, missing: missing.length };
}

t.test(
  `over ${kills} kills each denial is stored once or missing, and what is sent again fills the gaps (EDGEWARD_SEED=${seed})`,
  async (t) => {
    const ledgerFile = join(t.testdir({}), 'ledger.db');
    const draw = dice(seed);
    let child: ChildProcess | null = null;
    t.teardown(() => kill(child));
    const start = async (...moment: string[]): Promise<number> => {
      child = fork(startable(join(import.meta.dirname, 'listener-child.ts')), [ledgerFile, ...moment], {
        execArgv: ['--conditions=edgeward-source', '--no-warnings'],
        env: childEnvironment(),
      });
      const [message] = (await once(child, 'message')) as [{ port: number }];
      return message.port;
    };
    /** Two connections, one for every second stretch, in pieces that end anywhere. */
    const send = async (port: number, from: number, to: number): Promise<void> => {
      const pair = [await senderTo(t, port), await senderTo(t, port)] as const;
      for (let next = from; next < to; ) {
        const end = Math.min(to, next + 1 + draw(30));
        const text = denyStream(next, end);
        const cut = draw(text.length);
        const { write } = pair[draw(1)] ?? pair[0];
        write(text.slice(0, cut));
        await setTimeout(draw(5));
        write(text.slice(cut));
        next = end;
      }
      for (const { socket } of pair) socket.end();
      await Promise.all(pair.map(({ closed }) => closed));
    };

    const ledger = await openLedgerHere({ file: ledgerFile });
    t.teardown(() => ledger.close());
    for (let i = 0; i < kills; i += 1) {
      const moment = ['', 'before', 'after'][i % 3] ?? '';
      const port = await start(moment, String(1 + draw(60)));
      const [from, to] = [1 + Math.floor((numbers * i) / kills), 1 + Math.floor((numbers * (i + 1)) / kills)];
      const sending = send(port, from, to);
      if (moment === '') {
        await setTimeout(draw(120));
        await kill(child);
      } else {
        // Each moment comes within what is sent. What was sent isn't committed yet: a kill from here could come first.
        await until(`it killed itself ${moment} a commit`, () => child === null || child.signalCode !== null);
      }
      await sending;
    }
    const before = await agrees(t, ledger);
    t.ok(before.stored > 0 && before.missing > 0, `${before.stored} stored, ${before.missing} missing`);

    const port = await start();
    await send(port, 1, numbers + 1);
    await until('every number is stored', async () => (await ledger.readSums()).sequences[0]?.stored === numbers);
    await kill(child);
    await agrees(t, ledger);
    t.strictSame(
      (await ledger.denials({ limit: 10_000 })).map(({ event }) => event.ref ?? '').toSorted(),
      refs(1, numbers + 1).toSorted(),
    );
    t.strictSame([await ledger.gaps('big-1'), (await ledger.readSums()).totals[0]?.count], [[], numbers]);
  },
);
