/** The tclsh that was given, and the program that it runs. Looks along PATH at most; nothing is fetched here. */
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path';
import { EdgewardError } from '@edgeward/runtime';

const PARTS = 'wire child connection address group class flow http-header http table logging text digest'.split(' ');
const FOLDER = new URL('../../tcl/', import.meta.url);

/** A program with its leading arguments, and what it needs on top of the environment. */
export interface TclshCommand {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface Tclsh extends TclshCommand {
  /** Whether an unprivileged user can run it: one that was unpacked below root's home is closed to him. */
  readonly openToAll: boolean;
}

/** `given` is a path, a name on PATH, or a command that is taken as it is. Throws EDW_ERR_TCLSH_NOT_FOUND. */
export function resolveTclsh(given: string | TclshCommand = 'tclsh'): Tclsh {
  const { command, env } = typeof given === 'string' ? { command: [programOf(given)], env: {} } : given;
  const paths = [...command, ...Object.values(env)].filter((word) => isAbsolute(word));
  return { command, env, openToAll: paths.every(isOpenToAll) };
}

function programOf(name: string): string {
  const candidates = name.includes('/')
    ? [isAbsolute(name) ? name : resolve(name)]
    : (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name));
  const found = candidates.find(isProgram);
  if (found !== undefined) return found;
  throw new EdgewardError('EDW_ERR_TCLSH_NOT_FOUND', `starting the data plane of a simulated BIG-IP: no ${name}`, {
    mend: 'Install Tcl 8.6 (on Debian: apt-get install tcl), or name the program with `tclsh`.',
  });
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isOpenToAll(path: string): boolean {
  const [passable, readable] = [0o001, 0o004];
  try {
    if ((statSync(path).mode & readable) === 0) return false;
    for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
      if ((statSync(folder).mode & passable) === 0) return false;
    }
    return true;
  } catch {
    return false;
  }
}

/** All of it as one text, in ASCII: an unprivileged tclsh may not be able to read our files. */
export function tclProgram(): string {
  return PARTS.map((part) => readFileSync(new URL(`${part}.tcl`, FOLDER), 'latin1')).join('\n');
}

/** Math functions behind F5's word operators, for each child interpreter. */
export function expressionFunctions(): string {
  const file = new URL('expr-functions.tcl', FOLDER);
  return existsSync(file) ? readFileSync(file, 'latin1') : '';
}
