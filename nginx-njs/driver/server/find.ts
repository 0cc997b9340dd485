/**
 * Finds an NGINX that can carry a policy: the one that is installed, else the one unpacked earlier, else Debian's own
 * packages unpacked now, without root and without touching the system. A candidate counts only after it ran and named
 * its njs.
 */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import { fetchDebianNginx, unpackedNginx } from './debian-nginx.ts';
import { installedNginx } from './installed.ts';
import { type NginxBinary, type NginxCandidate, type NginxOrigin, oldestNjs, versionAtLeast } from './nginx-binary.ts';
import { versionsOf } from './versions.ts';

export interface FindNginxOptions {
  /** Where an unpacked NGINX is kept, 45 MB. `defaultCacheDir()` is the customary place. */
  readonly cacheDir: string;
  /** One short line per step that may take a second. */
  readonly onProgress?: (message: string) => void;
  /** Whether packages may be fetched. Default true. */
  readonly fetch?: boolean;
  /** Where to look for an installed one. Default: PATH. The customary sbin folders are always searched. */
  readonly searchPath?: string;
}

type Outcome = { state: 'fit'; binary: NginxBinary } | { state: 'unfit'; reason: string };

/** `$EDGEWARD_CACHE`, else `edgeward` in `$XDG_CACHE_HOME` or `~/.cache`. */
export function defaultCacheDir(env: Record<string, string | undefined> = process.env): string {
  if (env.EDGEWARD_CACHE) return resolve(env.EDGEWARD_CACHE);
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'edgeward');
}

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
  const kept = await fromCache(cacheDir, 'cache');
  if (kept.state === 'fit') return kept.binary;
  if (options.fetch === false) throw notFound([...reasons, kept.reason, 'fetching is switched off']);

  const fits = async (): Promise<boolean> => (await fromCache(cacheDir, 'cache')).state === 'fit';
  const fetched = await fetchDebianNginx({ cacheDir, onProgress, fits });
  if (fetched.state === 'unsupported') throw notFound([...reasons, fetched.reason]);
  const outcome = await fromCache(cacheDir, 'fetched');
  if (outcome.state === 'fit') return outcome.binary;
  throw new EdgewardError('EDW_ERR_NGINX_FETCH', `running the NGINX that was unpacked: ${outcome.reason}`, {
    mend: `Remove ${cacheDir} and try again. If it stays so, install nginx with njs ${oldestNjs} or newer.`,
  });
}

async function fromCache(cacheDir: string, origin: NginxOrigin): Promise<Outcome> {
  const candidate = await unpackedNginx(cacheDir);
  return candidate === null ? { state: 'unfit', reason: `nothing unpacked in ${cacheDir}` } : judged(candidate, origin);
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

function notFound(reasons: readonly string[]): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_NGINX_NOT_FOUND',
    `looking for NGINX with njs ${oldestNjs} or newer: ${reasons.join('; ')}`,
    {
      mend:
        'Install nginx with its njs module (Debian 13: `apt install nginx libnginx-mod-http-js`; elsewhere nginx.org: ' +
        '`nginx nginx-module-njs`), or run Edgeward in Docker.',
    },
  );
}
