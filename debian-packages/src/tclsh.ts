/**
 * Finds a `tclsh` of Tcl 8.6: the one on PATH, else the one unpacked earlier, else Debian's own packages unpacked now.
 * A candidate counts only after it ran, named its version and found its script library. Tcl 9 reads scripts differently,
 * and is passed over.
 */
import { join } from 'node:path';
import { EdgewardError } from '@edgeward/runtime';
import { lastWords, runProgram } from './program-run.ts';
import { type FindProgramOptions, findProgram, type ProgramKind } from './program-search.ts';
import { runThroughLoader, type UnpackedTree } from './unpacked-tree.ts';

/** An unpacked one takes 25 MB. */
export type FindTclshOptions = FindProgramOptions;

export interface TclshCommand {
  /** Program and leading arguments; the script's come after. */
  readonly command: readonly string[];
  /** On top of the environment in which it is started. */
  readonly env: Readonly<Record<string, string>>;
}

const runTimeoutMs = 10_000;
/** `unknown` stands in init.tcl: without its library tclsh runs, and fails at the first command that is loaded on demand. */
const script = 'puts "edgeward [info patchlevel] [llength [info procs unknown]]"\nexit\n';

const tclsh: ProgramKind<TclshCommand> = {
  name: 'tclsh',
  title: 'Tcl 8.6 (3 MB)',
  packages: ['tcl8.6'],
  // `tclsh` alone may be Tcl 9.
  files: ['tclsh8.6', 'tclsh'],
  customaryFolders: [],
  installed: (path) => inspected({ command: [path], env: {} }),
  unpacked: (tree) => inspected(commandIn(tree)),
  notFound,
};

/** Rejects with EDW_ERR_TCLSH_NOT_FOUND, which says what was tried, or with the reason of `signal`. */
export function findTclsh(options: FindTclshOptions = {}): Promise<TclshCommand> {
  return findProgram(tclsh, options);
}

function commandIn(tree: UnpackedTree): TclshCommand {
  const command = runThroughLoader(tree, 'usr/bin/tclsh8.6');
  // The folders that are compiled in lie outside the tree: scripts, and modules such as msgcat, which clock needs.
  const library = join(tree.root, 'usr/share/tcltk/tcl8.6');
  return { command, env: { TCL_LIBRARY: library, TCL8_6_TM_PATH: join(library, 'tcl8') } };
}

/** The command, or why it is no Tcl 8.6 that runs. */
async function inspected({ command, env }: TclshCommand): Promise<TclshCommand | string> {
  const [program = '', ...args] = command;
  const run = await runProgram(program, args, { timeoutMs: runTimeoutMs, env, input: script });
  const [, version, library] = /^edgeward (\d[\w.]*) (\d+)$/m.exec(run.stdout) ?? [];
  const named = command.at(-1);
  if (version === undefined) return `${named} is no tclsh: ${lastWords(run)}`;
  if (!/^8\.([6-9]|\d\d+)(?!\d)/.test(version)) return `${named} is Tcl ${version}`;
  return library === '1' ? { command, env } : `${named} has no script library: ${lastWords(run)}`;
}

function notFound(reasons: readonly string[], cause?: unknown): EdgewardError {
  const tried = reasons.length === 0 ? 'there is none on PATH' : reasons.join('; ');
  return new EdgewardError('EDW_ERR_TCLSH_NOT_FOUND', `looking for tclsh of Tcl 8.6: ${tried}`, {
    mend: 'Install Tcl 8.6, not 9 (Debian and Ubuntu: `apt install tcl8.6`; Fedora: `dnf install tcl8`; macOS: `brew install tcl-tk@8`), and see that tclsh8.6 or tclsh is on PATH.',
    cause,
  });
}
