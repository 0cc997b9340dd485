/**
 * Finds an NGINX that can carry a policy: the one that is installed, else the one unpacked earlier, else Debian's own
 * packages unpacked now, else one in a container. Needs no root and touches nothing of the system. A candidate counts
 * only after it ran and named its njs.
 */
import { resolve } from 'node:path';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import { fetchDebianNginx, unpackedNginx } from './debian-nginx.ts';
import { dockerNginx } from './docker.ts';
import { installedNginx } from './installed.ts';
import { type NginxBinary, type NginxCandidate, type NginxOrigin, oldestNjs, versionAtLeast } from './nginx-binary.ts';
import { versionsOf } from './versions.ts';

export interface FindNginxOptions {
  /** Where an unpacked NGINX is kept, 45 MB. `defaultCacheDir()` is the customary place. */
  readonly cacheDir: string;
  /** One short line per step that may take a second. */
  readonly onProgress?: (message: string) => void;
  /** Whether packages may be fetched, or an image built. Default true. */
  readonly fetch?: boolean;
  /** Whether Docker may be asked where packages can't be had. Default true. */
  readonly docker?: boolean;
  /** Where to look for an installed one. Default: PATH. The customary sbin folders are always searched. */
  readonly searchPath?: string;
}

type Outcome = { state: 'fit'; binary: NginxBinary } | { state: 'unfit'; reason: string };

/**
 * Rejects with EDW_ERR_NGINX_NOT_FOUND where there is none and none may or can be fetched for this system, and with
 * EDW_ERR_NGINX_FETCH where fetching failed.
 */
export async function findNginx(options: FindNginxOptions): Promise<NginxBinary> {
  const { onProgress = () => {} } = options;
  const cacheDir = resolve(options.cacheDir);
  const reasons: string[] = [];

  for (const installed of await installedNginx(options.searchPath ?? process.env.PATH ?? '')) {
    const outcome = installed.state === 'found' ? await judged(installed.candidate, 'path') : installed;
    if (outcome.state === 'fit') return outcome.binary;
    reasons.push(outcome.reason);
  }
  const kept = await fromCache(cacheDir);
  if (kept.state === 'fit') return kept.binary;
  if (options.fetch === false) throw notFound([...reasons, kept.reason, 'fetching is switched off']);

  const fetched = await fromDebian(cacheDir, onProgress);
  if (!(fetched instanceof EdgewardError)) return fetched;
  const docker = options.docker === false ? null : await fromDocker(onProgress);
  if (docker?.state === 'fit') return docker.binary;
  throw notHad(fetched, reasons, docker === null ? 'Docker is switched off' : docker.reason);
}

async function fromCache(cacheDir: string): Promise<Outcome> {
  const candidate = await unpackedNginx(cacheDir);
  return candidate === null
    ? { state: 'unfit', reason: `nothing unpacked in ${cacheDir}` }
    : judged(candidate, 'cache');
}

async function fromDebian(
  cacheDir: string,
  onProgress: (message: string) => void,
): Promise<NginxBinary | EdgewardError> {
  const fits = async (candidate: NginxCandidate): Promise<boolean> =>
    (await judged(candidate, 'cache')).state === 'fit';
  try {
    const outcome = await judged(await fetchDebianNginx({ cacheDir, onProgress, fits }), 'fetched');
    if (outcome.state === 'fit') return outcome.binary;
    return fetchFailure(`running the NGINX that was unpacked: ${outcome.reason}`, `Remove ${cacheDir} and try again.`);
  } catch (error) {
    if (error instanceof EdgewardError) return error;
    throw error;
  }
}

async function fromDocker(onProgress: (message: string) => void): Promise<Outcome> {
  const found = await dockerNginx(onProgress);
  return found.state === 'found' ? judged(found.candidate, 'docker') : found;
}

async function judged(candidate: NginxCandidate, origin: NginxOrigin): Promise<Outcome> {
  try {
    const versions = await versionsOf(candidate);
    if (versionAtLeast(versions.njsVersion, oldestNjs))
      return { state: 'fit', binary: { ...candidate, ...versions, origin } };
    return { state: 'unfit', reason: `${candidate.command.at(-1)} has njs ${versions.njsVersion}` };
  } catch (error) {
    return { state: 'unfit', reason: messageOf(error) };
  }
}

/** Neither packages nor Docker: what failed first is what a person can mend. */
function notHad(fetching: EdgewardError, reasons: readonly string[], docker: string): EdgewardError {
  if (fetching.code === 'EDW_ERR_PACKAGES_UNSUPPORTED') return notFound([...reasons, fetching.message, docker]);
  return fetchFailure(`${fetching.message}; ${docker}`, fetching.mend, fetching);
}

function fetchFailure(message: string, mend: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_NGINX_FETCH', message, {
    mend: `${mend} Or install nginx with njs ${oldestNjs} or newer.`,
    cause,
  });
}

function notFound(reasons: readonly string[]): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_NGINX_NOT_FOUND',
    `looking for NGINX with njs ${oldestNjs} or newer: ${reasons.join('; ')}`,
    {
      mend:
        'Install nginx with its njs module (Debian 13: `apt install nginx libnginx-mod-http-js`; elsewhere nginx.org: ' +
        '`nginx nginx-module-njs`), or start Docker on this machine.',
    },
  );
}
