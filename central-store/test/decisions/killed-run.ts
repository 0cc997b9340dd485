/** Runs one of the scripts beside it, which kill themselves; the answer is what it said before, line by line. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { childEnvironment } from '../../../test/kit/child-environment.ts';
import { startable } from '../../../test/kit/program.ts';
import type { Owner } from './world.ts';

export async function runKilled(t: Owner, script: string, ...args: string[]): Promise<string[]> {
  const given = ['--conditions=edgeward-source', startable(join(import.meta.dirname, script)), ...args];
  const child = spawn(process.execPath, given, { stdio: ['ignore', 'pipe', 'pipe'], env: childEnvironment() });
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  let errors = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  child.stderr.on('data', (data) => {
    errors += data;
  });
  await once(child, 'close');
  if (errors !== '') throw new Error(errors);
  return output.split('\n').slice(0, -1);
}
