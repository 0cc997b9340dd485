/**
 * Where ulogd is on this host, and what it is told: read the group that our rules send samples to, write one JSON line each.
 * Its own service and configuration are not touched.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { NFLOG_GROUP } from '../../driver/index.ts';

export interface FoundUlogd {
  /** The program, behind the words by which it ends with whoever started it, where util-linux has them. */
  words: readonly [string, ...string[]];
  plugins: readonly string[];
}

const FOLDERS = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const LIBRARIES = ['/usr/lib', '/usr/lib64'];
const PLUGINS = [
  'ulogd_inppkt_NFLOG.so',
  'ulogd_raw2packet_BASE.so',
  'ulogd_filter_IP2STR.so',
  'ulogd_output_JSON.so',
] as const;

/** What is missing, in words, where it can't be run. */
export async function findUlogd(folders: readonly string[] = FOLDERS): Promise<FoundUlogd | { missing: string }> {
  const program = await firstThere(folders.map((folder) => join(folder, 'ulogd')));
  if (program === null) return { missing: 'ulogd is not installed' };
  const places = (await Promise.all(LIBRARIES.map(pluginFolders))).flat();
  const found = await Promise.all(PLUGINS.map((name) => firstThere(places.map((place) => join(place, name)))));
  const absent = PLUGINS.filter((_, index) => found[index] === null);
  if (absent.length > 0) return { missing: `ulogd has no ${absent.join(', ')}` };
  return { words: await endingWithItsParent(program), plugins: found.flatMap((path) => path ?? []) };
}

/** An agent that is killed can end nobody. */
async function endingWithItsParent(program: string): Promise<FoundUlogd['words']> {
  const setpriv = await firstThere(FOLDERS.map((folder) => join(folder, 'setpriv')));
  return setpriv === null ? [program] : [setpriv, '--pdeathsig', 'TERM', program];
}

/** `/usr/lib/x86_64-linux-gnu/ulogd`, or without the name of the machine. */
async function pluginFolders(library: string): Promise<string[]> {
  const names = await readdir(library).catch(() => []);
  return [join(library, 'ulogd'), ...names.map((name) => join(library, name, 'ulogd'))];
}

async function firstThere(paths: readonly string[]): Promise<string | null> {
  for (const path of paths) {
    const found = await stat(path).catch(() => null);
    if (found?.isFile()) return path;
  }
  return null;
}

/** Samples come within half a second, many in a message; a burst has 4 MiB to wait in. */
export function ulogdConfiguration(plugins: readonly string[], samplesPath: string): string {
  return [
    '[global]',
    'logfile="stdout"',
    'loglevel=5',
    ...plugins.map((plugin) => `plugin="${plugin}"`),
    'stack=samples:NFLOG,packet:BASE,text:IP2STR,lines:JSON',
    '[samples]',
    `group=${NFLOG_GROUP}`,
    'netlink_socket_buffer_size=1048576',
    'netlink_socket_buffer_maxsize=4194304',
    'netlink_qthreshold=64',
    'netlink_qtimeout=50',
    '[lines]',
    'sync=1',
    `file="${samplesPath}"`,
    '',
  ].join('\n');
}

/** What ulogd would read as the end of a value, or cut off. */
export function isPlainPath(path: string): boolean {
  return /^[\w./@+-]{1,200}$/.test(path);
}
