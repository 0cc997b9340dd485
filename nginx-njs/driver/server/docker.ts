/**
 * An NGINX in a container, for systems whose packages are not Debian's: a small image, built once from Debian's own
 * packages. Needs a Docker that answers; asks it for nothing but this image, and starts no container.
 */
import { createHash } from 'node:crypto';
import { lastWords, type ProgramRun, runProgram } from '@edgeward/debian-packages';
import type { Installed } from './installed.ts';

export const baseImage: string = 'debian:trixie-slim';

const dockerfile = `FROM ${baseImage}
RUN apt-get update \\
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nginx libnginx-mod-http-js libnginx-mod-stream-js \\
 && rm -rf /var/lib/apt/lists/*
`;

/** Another recipe is another image. */
export const dockerImage: string = `edgeward-nginx:${createHash('sha256').update(dockerfile).digest('hex').slice(0, 12)}`;

const answerTimeoutMs = 10_000;
const buildTimeoutMs = 600_000;
const proxies = ['http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'];

/** The candidate, whose image is there; whether it runs, and serves this machine, is for the caller to ask. */
export async function dockerNginx(onProgress: (message: string) => void): Promise<Installed> {
  const version = await docker(['version', '--format', '{{.Server.Version}}']);
  if (version.code !== 0) return { state: 'unfit', reason: withoutDocker(version) };
  const there = await docker(['image', 'inspect', '--format', '{{.Id}}', dockerImage]);
  const failure = there.code === 0 ? null : await build(onProgress);
  if (failure !== null) return { state: 'unfit', reason: `building ${dockerImage} in Docker: ${failure}` };
  return {
    state: 'found',
    candidate: { command: ['nginx'], modulesDir: '/usr/lib/nginx/modules', image: dockerImage },
  };
}

function docker(args: readonly string[]): Promise<ProgramRun> {
  return runProgram('docker', args, { timeoutMs: answerTimeoutMs });
}

function withoutDocker(run: ProgramRun): string {
  return run.failure?.includes('ENOENT') ? 'there is no docker command' : `Docker does not answer: ${lastWords(run)}`;
}

async function build(onProgress: (message: string) => void): Promise<string | null> {
  onProgress(`building the image ${dockerImage} in Docker (NGINX 1.26 with njs 0.8.9 of Debian 13, 80 MB)`);
  // Named without a value, so that it is taken from the environment; the host's network reaches a proxy on loopback too.
  const passed = proxies.filter((name) => process.env[name]).flatMap((name) => ['--build-arg', name]);
  const words = ['build', '--network', 'host', '--force-rm', '--tag', dockerImage, ...passed, '-'];
  const run = await runProgram('docker', words, { timeoutMs: buildTimeoutMs, input: dockerfile });
  if (run.code === 0) return null;
  return /\bE: .+/.exec(`${run.stdout}\n${run.stderr}`)?.[0] ?? lastWords(run);
}
