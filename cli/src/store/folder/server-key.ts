/** `edgeward store server-key`: a new key of the store itself, for a trust root that will list it. */
import { newServerKey } from '@edgeward/central-store';
import { generateSigningKey } from '@edgeward/policy-format';
import type { Command, Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { usageError } from '../../frame/usage-error.ts';
import { firstRoot } from './handed-over.ts';

export const serverKeyCommand: Command = {
  name: 'store server-key',
  summary: 'Make a new key of the store itself.',
  help: {
    examples: [
      {
        line: 'edgeward store server-key /var/lib/edgeward-store --use store',
        says: 'Add what it prints to `storeKeys` of the next trust root.',
      },
    ],
    usage: ['DIR --use store|log [--dry-run] [--json]'],
    about: [
      'Heads are signed with a store key, checkpoints of the record with a log key. A new one lies in DIR/keys until a trust root lists it; only from then on it counts. Take the old one out of that root when it was lost to somebody, or in a later one.',
      'JSON: {use, key: {kid, x}}; key is null in a dry run.',
    ],
    exits: { 78: 'DIR is no store' },
  },
  args: ['DIR'],
  options: {
    use: { type: 'string', value: 'USE', says: 'store: signs heads. log: signs checkpoints of the record.' },
    'dry-run': { type: 'boolean', says: 'Make a key, and write nothing of it.' },
  },
  run: runServerKey,
};

async function runServerKey(context: Context): Promise<ExitCode> {
  const [dir = ''] = context.args;
  const use = context.required('use');
  if (use !== 'store' && use !== 'log')
    throw usageError(`--use: '${use}' is neither store nor log`, 'store server-key');
  await firstRoot(dir);
  const dry = context.flag('dry-run');
  const key = dry ? (await generateSigningKey()).publicKey : await newServerKey(dir, use);
  if (context.json) await context.printJson({ use, key: dry ? null : key });
  else
    await context.out.write(
      dry
        ? 'would make a key\n'
        : `made a ${use} key; add it to ${use}Keys of the next trust root:\n  ${JSON.stringify({ kid: key.kid, x: key.x })}\n`,
    );
  return 0;
}
