/**
 * Finds a `nats-server` with JetStream and direct reads (2.9 or newer): the one that is installed, else the one unpacked
 * earlier, else Debian's own package unpacked now. A candidate counts only after it ran and named its version.
 */
import { access, constants } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import { defaultCacheDir } from './cache-folder.ts';
import { fetchPackages } from './fetch.ts';
import { lastWords, runProgram } from './program-run.ts';
import { keptTree, runThroughLoader, type UnpackedTree } from './unpacked-tree.ts';

export interface FindNatsServerOptions {
  /** Where an unpacked one is kept, 45 MB. Default: `defaultCacheDir()`. */
  readonly cacheDir?: string;
  /** Whether packages may be fetched. Default true. */
  readonly allowFetch?: boolean;
  /** One short line per step that may take a second. */
  readonly progress?: (message: string) => void;
  /** Where to look for an installed one. Default: PATH, and the folders where packages put it. */
  readonly searchPath?: string;
  readonly signal?: AbortSignal;
}

export interface NatsServerCommand {
  /** Program and leading arguments; the server's own come after. */
  readonly command: readonly string[];
  /** As it names itself: `2.9.10`. */
  readonly version: string;
}

const name = 'nats-server';
/** Where packages put it; ordinary users have none of these on PATH. */
const customaryFolders = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin'];
const runTimeoutMs = 10_000;

/** Rejects with EDW_ERR_NATS_SERVER_NOT_FOUND, which says what was tried, or with the reason of `signal`. */
export async function findNatsServer(options: FindNatsServerOptions = {}): Promise<NatsServerCommand> {
  const cacheDir = resolve(options.cacheDir ?? defaultCacheDir());
  const reasons: string[] = [];
  for (const program of await installed(options.searchPath)) {
    const found = await inspected([program]);
    if (typeof found !== 'string') return found;
    reasons.push(found);
  }
  if (options.allowFetch === false) {
    const tree = await keptTree({ cacheDir, name });
    const found = tree === null ? `nothing unpacked in ${cacheDir}` : await inspected(commandIn(tree));
    if (typeof found !== 'string') return found;
    throw notFound([...reasons, found, 'fetching is switched off']);
  }
  return fetched(options, cacheDir, reasons);
}

async function fetched(
  options: FindNatsServerOptions,
  cacheDir: string,
  reasons: string[],
): Promise<NatsServerCommand> {
  const { progress, signal } = options;
  const tree = await fetchPackages({
    cacheDir,
    name,
    title: 'NATS server (6 MB)',
    packages: ['nats-server'],
    fits: async (kept) => typeof (await inspected(commandIn(kept))) !== 'string',
    ...(progress === undefined ? {} : { progress }),
    ...(signal === undefined ? {} : { signal }),
  }).catch((error) => {
    signal?.throwIfAborted();
    throw notFound([...reasons, messageOf(error)], error);
  });
  const found = await inspected(commandIn(tree));
  if (typeof found === 'string') throw notFound([...reasons, found]);
  return found;
}

function commandIn(tree: UnpackedTree): string[] {
  return runThroughLoader(tree, 'usr/sbin/nats-server');
}

/** The command with its version, or why it can't serve. */
async function inspected(command: readonly string[]): Promise<NatsServerCommand | string> {
  const [program = '', ...args] = command;
  const run = await runProgram(program, [...args, '--version'], { timeoutMs: runTimeoutMs });
  const [, version, major, minor] = /^nats-server: v?((\d+)\.(\d+)[\w.+-]*)$/m.exec(run.stdout) ?? [];
  const named = command.at(-1);
  if (version === undefined) return `${named} is no nats-server: ${lastWords(run)}`;
  const serves = Number(major) > 2 || (Number(major) === 2 && Number(minor) >= 9);
  return serves ? { command, version } : `${named} is version ${version}, older than 2.9`;
}

async function installed(searchPath: string | undefined): Promise<string[]> {
  const named = (searchPath ?? process.env.PATH ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  const folders = new Set([...named, ...(searchPath === undefined ? customaryFolders : [])]);
  const programs = [...folders].map((folder) => join(folder, name));
  const there = await Promise.all(
    programs.map((program) =>
      access(program, constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return programs.filter((_, index) => there[index] === true);
}

function notFound(reasons: readonly string[], cause?: unknown): EdgewardError {
  const tried = reasons.length === 0 ? 'there is none on PATH' : reasons.join('; ');
  return new EdgewardError('EDW_ERR_NATS_SERVER_NOT_FOUND', `looking for nats-server 2.9 or newer: ${tried}`, {
    mend: 'Install it (Debian and Ubuntu: `apt install nats-server`; macOS: `brew install nats-server`), and see that nats-server is on PATH.',
    cause,
  });
}
