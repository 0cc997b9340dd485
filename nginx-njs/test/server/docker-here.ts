/** Whether there is a Docker for the tests, with the image that ours is built from: tests pull nothing. */
import { lastWords, runProgram } from '@edgeward/debian-packages';
import type { TAP } from 'tap';
import { baseImage } from '../../driver/server/docker.ts';

const timeoutMs = 120_000;

/** Without one the whole file is skipped with the reason, but never in CI. */
export async function withDocker(t: TAP): Promise<void> {
  const reason = await missing();
  if (reason === null) return;
  if (process.env.CI !== undefined) throw new Error(reason);
  t.plan(0, reason);
  process.exit(0);
}

async function missing(): Promise<string | null> {
  const version = await runProgram('docker', ['version', '--format', '{{.Server.Version}}'], { timeoutMs });
  if (version.code !== 0) return `no Docker answers (${lastWords(version)}); scripts/with-docker.sh brings one`;
  const base = await runProgram('docker', ['image', 'inspect', '--format', '{{.Id}}', baseImage], { timeoutMs });
  return base.code === 0 ? null : `Docker has no image ${baseImage}; \`docker pull\` it, or use scripts/with-docker.sh`;
}
