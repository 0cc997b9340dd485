/**
 * `nginx -t`: whether NGINX accepts a configuration. Beware: it compiles a js module only where a `server` block exists,
 * and never runs its top level, so a configuration that passes may still hold a module that throws.
 */
import { runProgram } from '@edgeward/debian-packages';
import { EdgewardError } from '@edgeward/runtime';
import { emergencyOf } from './emergency.ts';
import { invocation } from './invocation.ts';
import type { NginxCandidate } from './nginx-binary.ts';

const testTimeoutMs = 30_000;

/** Rejects with EDW_ERR_NGINX_CONFIG, which carries NGINX's own reason with file and line. */
export async function testConfig(binary: NginxCandidate, prefix: string, configFile: string): Promise<void> {
  const words = ['-t', '-q', '-e', 'stderr', '-p', prefix, '-c', configFile];
  const { program, args } = invocation(binary, words, { prefix, configFile });
  const run = await runProgram(program, args, { timeoutMs: testTimeoutMs });
  if (run.code === 0) return;
  const reason = run.failure ?? emergencyOf(run.stderr) ?? `exit code ${run.code}`;
  throw new EdgewardError('EDW_ERR_NGINX_CONFIG', `testing ${configFile}: ${reason}`, {
    mend: 'Correct the named line; `nginx -t -c FILE` shows the same message. The NGINX that is running keeps what it has.',
  });
}
