/** `edgeward store key`: makes the key pair that one person signs with. */
import { generateSigningKey, isName } from '@edgeward/policy-format';
import { readSecret } from '@edgeward/runtime';
import type { Command, Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { printable } from '../../frame/terminal-text.ts';
import { usageError } from '../../frame/usage-error.ts';
import { writeKeyFiles } from './signing-key-file.ts';

export const key: Command = {
  name: 'store key',
  summary: "Make a person's key pair.",
  help: {
    examples: [
      { line: 'edgeward store key --name ada --out ada.key', says: 'ada.key stays with Ada; ada.key.pub goes around.' },
      {
        line: 'edgeward store key --name ada --out ada.key --passphrase-file ada.pass',
        says: 'The private part is sealed with what stands in ada.pass.',
      },
    ],
    usage: ['--out FILE [--name NAME] [--passphrase-file FILE] [--dry-run] [--json]'],
    about: [
      'Each person runs it on the machine where they will sign. FILE is the private key, a JWK of mode 0600, or a JWE (PBES2-HS512+A256KW) with a passphrase; FILE.pub is what `store init --person` or a new trust root takes. A file that is there is never replaced.',
      'JSON: {kid, name, file, publicFile, sealed}; the files are null in a dry run.',
    ],
    exits: { 2: 'the command line is wrong, or a file can not be written', 78: 'the passphrase can not be read' },
  },
  args: [],
  options: {
    out: { type: 'string', value: 'FILE', says: 'For the private key; FILE.pub is written beside it.' },
    name: { type: 'string', value: 'NAME', says: 'Whose key it is; written into FILE.pub.' },
    'passphrase-file': {
      type: 'string',
      value: 'FILE',
      says: 'Seal the private key with the passphrase in this file.',
    },
    'dry-run': { type: 'boolean', says: 'Make a key, and write nothing of it.' },
  },
  run: runKey,
};

async function runKey(context: Context): Promise<ExitCode> {
  const file = context.required('out');
  const name = context.text('name') ?? null;
  if (name !== null && !isName(name))
    throw usageError(`--name: '${name}' is no name`, 'store key', 'Letters, digits, dots, dashes and underscores, 63.');
  const passphraseFile = context.text('passphrase-file');
  const passphrase = passphraseFile === undefined ? null : await readSecret(passphraseFile);
  const made = await generateSigningKey();
  const dry = context.flag('dry-run');
  if (!dry) await writeKeyFiles(file, made, { name, passphrase });
  const publicFile = `${file}.pub`;
  if (context.json) {
    const files = dry ? { file: null, publicFile: null } : { file, publicFile };
    await context.printJson({ kid: made.kid, name, ...files, sealed: passphrase !== null });
    return 0;
  }
  const how = passphrase === null ? 'private key, not sealed' : 'private key, sealed';
  const word = dry ? 'would write' : 'wrote';
  await context.out.write(
    `${word} ${printable(file)} (${how}) and ${printable(publicFile)}, key ${dry ? '…' : made.kid}\n` +
      (dry
        ? ''
        : `Keep ${printable(file)} on this machine; hand ${printable(publicFile)} to whoever makes the store.\n`),
  );
  return 0;
}
