/**
 * The NGINX of every Debian that people have, unpacked side by side: tests run on each, whatever is installed here. Each
 * has the modules for http and stream. Unpacked once and kept; nothing here starts one but to ask its versions, once.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  defaultCacheDir,
  fetchPackages,
  keptTree,
  runThroughLoader,
  type Suite,
  type UnpackedTree,
} from '@edgeward/debian-packages';
import { debianNginx, type NginxBinary, type NginxCandidate, versionsOf } from '@edgeward/nginx-njs';
import type { NginxEditionName } from './nginx-edition-names.ts';

export interface NginxEdition {
  readonly name: NginxEditionName;
  readonly binary: NginxBinary;
  /** The folder that stands for `/`; Lua's own library is below it. */
  readonly root: string;
  /** What its configuration says in http { }, and in stream { }, before it imports anything; empty where nothing. */
  readonly engine: string;
  /** The words of `load_module` for modules of this edition, such as `ngx_stream_module.so`; those of Lua need more. */
  load(...modules: string[]): string;
}

interface Kind {
  readonly suite: Suite;
  readonly title: string;
  readonly engine?: string;
  readonly extra?: readonly string[];
}

const kinds: Record<NginxEditionName, Kind> = {
  'debian-12': { suite: 'bookworm', title: 'NGINX 1.22 with njs 0.7.9 (Debian 12, 12 MB)' },
  'debian-13': { suite: 'trixie', title: 'NGINX 1.26 with njs 0.8.9 (Debian 13, 13 MB)' },
  'debian-14-njs': { suite: 'forky', title: 'NGINX with njs 1.0 (Debian 14, 14 MB)' },
  'debian-14-qjs': { suite: 'forky', title: 'NGINX with njs 1.0 (Debian 14, 14 MB)', engine: 'js_engine qjs;' },
  'debian-13-lua': {
    suite: 'trixie',
    title: 'NGINX 1.26 with Lua (Debian 13, 14 MB)',
    extra: ['libnginx-mod-http-ndk', 'libnginx-mod-http-lua'],
  },
};

export function isNginxEdition(name: string): name is NginxEditionName {
  return Object.hasOwn(kinds, name);
}

const LOCKED_MS = 120_000;
const found = new Map<NginxEditionName, Promise<NginxEdition>>();

/** Rejects as `fetchPackages` does. */
export function nginxEdition(name: NginxEditionName): Promise<NginxEdition> {
  const known = found.get(name) ?? unpacked(name);
  found.set(name, known);
  return known;
}

async function unpacked(name: NginxEditionName): Promise<NginxEdition> {
  const { suite, title, engine = '', extra = [] } = kinds[name];
  // By what is in it: the two of Debian 14 share one, and that of Debian 13 is the one that the product fetches.
  const place = {
    cacheDir: defaultCacheDir(),
    name: extra.length === 0 ? debianNginx.name : `${debianNginx.name}-lua`,
    suite,
  };
  const fetch = (): Promise<UnpackedTree> =>
    fetchPackages({ ...place, title, packages: [...debianNginx.packages, ...extra] });
  const tree = (await keptTree(place)) ?? (await oneAtATime(join(place.cacheDir, `.${place.name}-${suite}`), fetch));
  const modulesDir = join(tree.root, 'usr/lib/nginx/modules');
  const candidate = { command: runThroughLoader(tree, 'usr/sbin/nginx'), modulesDir };
  const binary: NginxBinary = { ...candidate, ...(await knownVersions(tree, candidate)), origin: 'cache' };
  return {
    name,
    binary,
    root: tree.root,
    engine,
    load: (...names) => names.map((module) => `load_module ${join(modulesDir, module)};\n`).join(''),
  };
}

/** Test files begin at the same time: without it each of them would fetch the same. What is there by then is not fetched. */
async function oneAtATime<T>(lock: string, run: () => Promise<T>): Promise<T> {
  await mkdir(dirname(lock), { recursive: true });
  for (const givenUpAt = Date.now() + LOCKED_MS; ; await sleep(100)) {
    const taken = await mkdir(lock).then(
      () => true,
      () => false,
    );
    // One that is held for so long was left by a crash.
    if (taken || Date.now() > givenUpAt) break;
  }
  try {
    return await run();
  } finally {
    await rm(lock, { recursive: true, force: true });
  }
}

/** Asked of a running one the first time, and noted beside it: every test file would start it again. */
async function knownVersions(
  tree: UnpackedTree,
  candidate: NginxCandidate,
): Promise<Pick<NginxBinary, 'nginxVersion' | 'njsVersion'>> {
  const file = join(tree.root, 'edition.json');
  const noted = await readFile(file, 'utf8').catch(() => null);
  if (noted !== null) return JSON.parse(noted);
  const versions = await versionsOf(candidate);
  const beside = `${file}.${process.pid}`;
  await writeFile(beside, JSON.stringify(versions));
  await rename(beside, file);
  return versions;
}
