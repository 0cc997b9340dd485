/**
 * The first version of the example's store, as docs/compose.md shows the second: Ada proposes the folder, Ben and Cyn sign
 * what their own command computed of it, Ben publishes. Does nothing where there is a version already.
 *
 *     node first-version.ts /policies
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

interface Proposed {
  digest: string;
  proposal: { id: string };
}

const [folder = ''] = process.argv.slice(2);
const { version } = await as<{ version: number | null }>('ada', 'status');
if (version === null || version === 0) await publishFirst();
else say(`version ${version} is there`);

async function publishFirst(): Promise<void> {
  const { digest, proposal } = await as<Proposed>(
    'ada',
    'propose',
    folder,
    '--reason',
    'the example of docker compose',
  );
  say(`ada proposed ${proposal.id}`);
  for (const person of ['ben', 'cyn']) {
    await as(person, 'approve', digest, '--reason', 'the example, as it is in the repository');
    say(`${person} signed it`);
  }
  await as('ben', 'publish', proposal.id);
  say('ben published version 1');
}

async function as<Answer>(person: string, ...words: string[]): Promise<Answer> {
  const env = { ...process.env, HOME: `/people/${person}` };
  const { stdout } = await promisify(execFile)('edgeward', ['store', ...words, '--json'], { env, maxBuffer: 1 << 26 });
  return JSON.parse(stdout) as Answer;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
