/**
 * Finds a `tclsh` of Tcl 8.6: the one on PATH, else the one unpacked earlier, else Debian's own packages unpacked now.
 * A candidate counts only after it ran, named its version and found its script library. Tcl 9 reads scripts differently,
 * and is passed over.
 */
import { access, constants } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import { defaultCacheDir } from './cache-folder.ts';
import { fetchPackages } from './fetch.ts';
import { lastWords, runProgram } from './program-run.ts';
import { keptTree, runThroughLoader, type UnpackedTree } from './unpacked-tree.ts';

export interface FindTclshOptions {
  /** Where an unpacked one is kept, 25 MB. Default: `defaultCacheDir()`. */
  readonly cacheDir?: string;
  /** Whether packages may be fetched. Default true. */
  readonly allowFetch?: boolean;
  /** One short line per step that may take a second. */
  readonly progress?: (message: string) => void;
  /** Where to look for an installed one. Default: PATH. */
  readonly searchPath?: string;
  readonly signal?: AbortSignal;
}

export interface TclshCommand {
  /** Program and leading arguments; the script's come after. */
  readonly command: readonly string[];
  /** On top of the environment in which it is started. */
  readonly env: Readonly<Record<string, string>>;
}

const name = 'tclsh';
const programs = ['tclsh8.6', 'tclsh'];
const runTimeoutMs = 10_000;
/** `unknown` stands in init.tcl: without its library tclsh runs, and fails at the first command that is loaded on demand. */
const script = 'puts "edgeward [info patchlevel] [llength [info procs unknown]]"\nexit\n';

/** Rejects with EDW_ERR_TCLSH_NOT_FOUND, which says what was tried, or with the reason of `signal`. */
export async function findTclsh(options: FindTclshOptions = {}): Promise<TclshCommand> {
  const cacheDir = resolve(options.cacheDir ?? defaultCacheDir());
  const reasons: string[] = [];
  for (const program of await installed(options.searchPath ?? process.env.PATH ?? '')) {
    const candidate = { command: [program], env: {} };
    const reason = await unfitness(candidate);
    if (reason === null) return candidate;
    reasons.push(reason);
  }
  if (options.allowFetch === false) {
    const tree = await keptTree({ cacheDir, name });
    if (tree !== null && (await runs(tree))) return commandIn(tree);
    throw notFound([...reasons, `nothing unpacked in ${cacheDir}`, 'fetching is switched off']);
  }
  return fetched(options, cacheDir, reasons);
}

async function fetched(options: FindTclshOptions, cacheDir: string, reasons: string[]): Promise<TclshCommand> {
  const { progress, signal } = options;
  const tree = await fetchPackages({
    cacheDir,
    name,
    title: 'Tcl 8.6 (3 MB)',
    packages: ['tcl8.6'],
    fits: runs,
    ...(progress === undefined ? {} : { progress }),
    ...(signal === undefined ? {} : { signal }),
  }).catch((error) => {
    signal?.throwIfAborted();
    throw notFound([...reasons, messageOf(error)], error);
  });
  const reason = await unfitness(commandIn(tree));
  if (reason !== null) throw notFound([...reasons, reason]);
  return commandIn(tree);
}

function commandIn(tree: UnpackedTree): TclshCommand {
  const command = runThroughLoader(tree, 'usr/bin/tclsh8.6');
  // The folders that are compiled in lie outside the tree: scripts, and modules such as msgcat, which clock needs.
  const library = join(tree.root, 'usr/share/tcltk/tcl8.6');
  return { command, env: { TCL_LIBRARY: library, TCL8_6_TM_PATH: join(library, 'tcl8') } };
}

async function runs(tree: UnpackedTree): Promise<boolean> {
  return (await unfitness(commandIn(tree))) === null;
}

/** Why this is no Tcl 8.6 that runs, or null. */
async function unfitness({ command, env }: TclshCommand): Promise<string | null> {
  const [program = '', ...args] = command;
  const run = await runProgram(program, args, { timeoutMs: runTimeoutMs, env, input: script });
  const [, version, library] = /^edgeward (\d[\w.]*) (\d+)$/m.exec(run.stdout) ?? [];
  const named = command.at(-1);
  if (version === undefined) return `${named} is no tclsh: ${lastWords(run)}`;
  if (!/^8\.([6-9]|\d\d+)(?!\d)/.test(version)) return `${named} is Tcl ${version}`;
  return library === '1' ? null : `${named} has no script library: ${lastWords(run)}`;
}

async function installed(searchPath: string): Promise<string[]> {
  const folders = searchPath.split(delimiter).filter((folder) => isAbsolute(folder));
  // Every folder is asked for the versioned name first: `tclsh` alone may be Tcl 9.
  const paths = programs.flatMap((program) => folders.map((folder) => join(folder, program)));
  const found = await Promise.all(
    paths.map((path) =>
      access(path, constants.X_OK).then(
        () => [path],
        () => [],
      ),
    ),
  );
  return found.flat();
}

function notFound(reasons: readonly string[], cause?: unknown): EdgewardError {
  const tried = reasons.length === 0 ? 'there is none on PATH' : reasons.join('; ');
  return new EdgewardError('EDW_ERR_TCLSH_NOT_FOUND', `looking for tclsh of Tcl 8.6: ${tried}`, {
    mend: 'Install Tcl 8.6, not 9 (Debian and Ubuntu: `apt install tcl8.6`; Fedora: `dnf install tcl8`; macOS: `brew install tcl-tk@8`), and see that tclsh8.6 or tclsh is on PATH.',
    cause,
  });
}
