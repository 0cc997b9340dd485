/** Appends until it is killed or a write fails, saying the number of each entry when it is on disk. */
import { signingKeyOf } from '@edgeward/policy-format';
import { createLogger, EdgewardError, systemClock } from '@edgeward/runtime';
import { openRecord } from '../../src/index.ts';

const [, , dir = '', jwk = '{}', together = '1', rounds = '2000'] = process.argv;
// Beyond the limit of its size a file can not grow; without a handler the signal would end the process first.
process.on('SIGXFSZ', () => {});
const record = await openRecord({
  dir,
  store: '0'.repeat(32),
  logKey: await signingKeyOf(JSON.parse(jwk)),
  root: () => 1,
  clock: systemClock,
  logger: createLogger({ level: 'silent' }),
  segmentBytes: 4_000,
});
const entry = { actor: 'ada', by: 'certificate', action: 'proposal.propose', target: 'x', outcome: 'allowed' as const };
// Bounded: a writer whose parent died must not write for ever.
for (let round = 0; round < Number(rounds); round += 1) {
  const appended = Array.from({ length: Number(together) }, () =>
    record.append({ ...entry, reason: 'é'.repeat(round % 50) }).then(
      ({ seq }) => process.stdout.write(`${seq}\n`),
      (thrown) => process.stdout.write(`${thrown instanceof EdgewardError ? thrown.code : String(thrown)}\n`),
    ),
  );
  await Promise.all(appended);
}
// Killed once more at the end: whoever follows this process would write files that may not grow either.
process.kill(process.pid, 'SIGKILL');
