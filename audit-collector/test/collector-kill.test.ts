import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { childEnvironment } from '../../test/kit/child-environment.ts';
import { startable } from '../../test/kit/program.ts';
import { runs, seed as seedOf } from '../../test/parity/random-runs.ts';
import { openLedgerHere } from '../src/ledger/sqlite/sqlite-ledger.ts';
import { dice, kill } from './killing.ts';
import { denyLines, refs, until } from './kit.ts';

/** Two of each moment. */
const kills = runs(6);
/** No more than one question to the ledger answers. */
const lines = Math.min(9_000, 200 * kills);
const seed = seedOf();

t.test(`every line is stored exactly once over ${kills} kills and rotations (EDGEWARD_SEED=${seed})`, async (t) => {
  const dir = t.testdir({ 'deny.log': '' });
  const [ledgerFile, log] = [join(dir, 'ledger.db'), join(dir, 'deny.log')];
  const draw = dice(seed);
  let child: ChildProcess | null = null;
  let written = 0;
  let rotations = 0;
  t.teardown(() => kill(child));
  const start = async (...moment: string[]): Promise<void> => {
    child = fork(startable(join(import.meta.dirname, 'collector-child.ts')), [ledgerFile, log, ...moment], {
      execArgv: ['--conditions=edgeward-source', '--no-warnings'],
      env: childEnvironment(),
    });
    // One that kills itself at once may not get to say that it started.
    await Promise.race([once(child, 'message'), once(child, 'exit')]);
  };
  /** The child's own end, or the time. */
  const endedWithin = async (delayMs: number): Promise<void> => {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const late = new AbortController();
    await Promise.race([once(child, 'exit'), setTimeout(delayMs, null, { signal: late.signal }).catch(() => {})]);
    late.abort();
  };
  /** What a point does: lines come in pieces that end anywhere, and the log is rotated by rename. */
  const write = async (upTo: number): Promise<void> => {
    while (written < upTo) {
      const next = Math.min(upTo, written + 1 + draw(40));
      const text = denyLines(written, next);
      const cut = draw(text.length);
      appendFileSync(log, text.slice(0, cut));
      await setTimeout(draw(8));
      appendFileSync(log, text.slice(cut));
      written = next;
      if (draw(7) === 0) {
        rotations += 1;
        renameSync(log, `${log}.${rotations}`);
      }
    }
  };

  for (let i = 0; i < kills; i += 1) {
    // From outside at any moment, or from inside before or right after a commit; a busy machine may take long to get there.
    const moment = ['', 'before', 'after'][i % 3] ?? '';
    await start(moment, String(1 + draw(100)));
    const writing = write(Math.floor((lines * (i + 1)) / kills));
    await endedWithin(moment === '' ? draw(120) : 60_000);
    await kill(child);
    await writing;
  }
  const ledger = await openLedgerHere({ file: ledgerFile });
  t.teardown(() => ledger.close());
  const before = (await ledger.denials({ limit: 10_000 })).length;
  t.ok(before > 0, 'the kills came while denials were being stored');
  await start();
  await until('every line is stored', async () => (await ledger.denials({ limit: 10_000 })).length >= lines);
  await setTimeout(500); // Longer than a rotated file is read on: a line stored twice would be there by now.
  await kill(child);
  const stored = (await ledger.denials({ limit: 10_000 })).map(({ event }) => event.ref ?? '');
  t.strictSame(stored.toSorted(), refs(0, lines).toSorted());
  t.equal((await ledger.readSums()).totals[0]?.count, lines);
  t.strictSame([(await ledger.readSums()).unparsed, (await ledger.readSums()).losses], [[], []]);
  t.comment(`${rotations} rotations; ${before} lines were stored before the last start`);
});
