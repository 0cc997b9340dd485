/** Where tclsh is, and the program that it runs. */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { EdgewardError } from '@edgeward/runtime';

const PARTS = 'wire child connection address group class flow http-header http table logging text digest'.split(' ');
const FOLDER = new URL('../../tcl/', import.meta.url);

/** The full path of `name`, which is a path or a name on PATH. Throws EDW_ERR_TCLSH_NOT_FOUND. */
export function findTclsh(name = 'tclsh'): string {
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

/** All of it as one text, in ASCII: an unprivileged tclsh may not be able to read our files. */
export function tclProgram(): string {
  return PARTS.map((part) => readFileSync(new URL(`${part}.tcl`, FOLDER), 'latin1')).join('\n');
}

/** Math functions behind F5's word operators, for each child interpreter. */
export function expressionFunctions(): string {
  const file = new URL('expr-functions.tcl', FOLDER);
  return existsSync(file) ? readFileSync(file, 'latin1') : '';
}
