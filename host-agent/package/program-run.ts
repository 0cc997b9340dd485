/** Programs that a build is made with. One that fails ends the build with what it said. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const TIMEOUT_MS = 300_000;

export async function run(program: string, args: readonly string[], cwd?: string): Promise<void> {
  await execute(program, [...args], { cwd, timeout: TIMEOUT_MS, killSignal: 'SIGKILL', maxBuffer: 1 << 24 });
}
