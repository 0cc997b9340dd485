/**
 * A whole configuration as a tree of directives, every include in its place. Bounded, and total: whatever it is given, it
 * gives a tree of what it could read and a list of what it could not.
 */
import { dirname } from 'node:path';
import { type DumpedFile, dumpedFiles } from './dump.ts';
import { isPattern, matchesInclude } from './include-pattern.ts';
import { createStatementReader, type StatementReader } from './tokens.ts';

export interface Place {
  file: string;
  line: number;
}

export interface Directive extends Place {
  name: string;
  args: readonly string[];
  /** null: it ends in a semicolon. Of a block in another language: empty. */
  block: readonly Directive[] | null;
}

export interface Configuration {
  root: readonly Directive[];
  /** What was not read, and so can't be judged. */
  faults: (Place & { problem: string })[];
  /** Names, the main file first. */
  files: string[];
}

/** More than anybody has: a list of a million addresses in `geo` is well below. */
const MAX_DIRECTIVES = 2_000_000;
const MAX_DEPTH = 64;

interface Reading {
  files: Map<string, DumpedFile>;
  /** Paths in `include` are relative to it. */
  prefix: string;
  faults: Configuration['faults'];
  included: Set<string>;
  /** Those that are being read: none includes itself. */
  open: Set<string>;
  left: number;
}

export function readDump(dump: string): Configuration {
  const sections = dumpedFiles(dump);
  const [main] = sections;
  if (main === undefined) return { root: [], faults: [], files: [] };
  const reading: Reading = {
    files: new Map(sections.filter(({ isRepeated }) => !isRepeated).map((file) => [file.name, file])),
    prefix: dirname(main.name),
    faults: [],
    included: new Set([main.name]),
    open: new Set(),
    left: MAX_DIRECTIVES,
  };
  const root = readFile(reading, main, 0);
  for (const { name, isRepeated } of sections) {
    if (isRepeated) fault(reading, { file: name, line: 1 }, 'a comment that looks like the beginning of a file');
    else if (!reading.included.has(name))
      fault(reading, { file: name, line: 1 }, 'no include that was read names this file');
  }
  return { root, faults: reading.faults, files: [...reading.files.keys()] };
}

function readFile(reading: Reading, file: DumpedFile, depth: number): Directive[] {
  const reader = createStatementReader(file.text);
  reading.open.add(file.name);
  const { directives, closed } = readBlock(reading, reader, file.name, depth);
  reading.open.delete(file.name);
  if (closed !== null) fault(reading, { file: file.name, line: closed }, 'a "}" that closes nothing');
  return directives;
}

/** To the brace that closes it, whose line is `closed`, or to the end of the file. */
function readBlock(
  reading: Reading,
  reader: StatementReader,
  file: string,
  depth: number,
): { directives: Directive[]; closed: number | null } {
  const directives: Directive[] = [];
  for (;;) {
    const statement = reader.next();
    const place = { file, line: statement.line };
    if (statement.kind === 'close') return { directives, closed: statement.line };
    if (statement.kind === 'fault') fault(reading, place, statement.problem);
    if (statement.kind === 'fault' || statement.kind === 'end') return { directives, closed: null };
    reading.left -= 1;
    if (reading.left < 0 || depth > MAX_DEPTH) {
      fault(reading, place, reading.left < 0 ? 'too many directives' : 'blocks too deep in each other');
      return { directives, closed: null };
    }
    const [name = '', ...args] = statement.words;
    if (statement.kind === 'open')
      directives.push({ name, args, ...place, block: readInside(reading, reader, name, place, depth) });
    else if (name !== 'include') directives.push({ name, args, ...place, block: null });
    else for (const included of readIncluded(reading, args[0] ?? '', place, depth)) directives.push(included);
  }
}

function readInside(reading: Reading, reader: StatementReader, name: string, place: Place, depth: number): Directive[] {
  if (name.endsWith('_by_lua_block')) {
    if (!reader.skipLua()) fault(reading, place, 'a block of Lua that is never closed');
    return [];
  }
  const { directives, closed } = readBlock(reading, reader, place.file, depth + 1);
  const isTold = reading.faults.some(({ file }) => file === place.file);
  if (closed === null && !isTold) fault(reading, place, `a block of ${name} that is never closed`);
  return directives;
}

function readIncluded(reading: Reading, path: string, place: Place, depth: number): Directive[] {
  const full = path.startsWith('/') ? path : `${reading.prefix}/${path}`;
  const taken = isPattern(full)
    ? [...reading.files.keys()].filter((name) => matchesInclude(full, name)).sort()
    : [full];
  return taken.flatMap((name) => {
    reading.included.add(name);
    const file = reading.files.get(name);
    if (file !== undefined && !reading.open.has(name)) return readFile(reading, file, depth + 1);
    fault(reading, place, file === undefined ? `${name} is not in the dump` : `${name} includes itself`);
    return [];
  });
}

const MAX_FAULTS = 100;

function fault(reading: Reading, { file, line }: Place, problem: string): void {
  if (reading.faults.length < MAX_FAULTS) reading.faults.push({ file, line, problem });
}

/** Itself and everything below, in the order of writing. */
export function* everyDirective(directives: readonly Directive[]): Generator<Directive> {
  for (const directive of directives) {
    yield directive;
    if (directive.block !== null) yield* everyDirective(directive.block);
  }
}

export function blocksNamed(directives: readonly Directive[], name: string): readonly Directive[] {
  return directives.filter((it) => it.name === name && it.block !== null);
}

export function named(directives: readonly Directive[], name: string): Directive[] {
  return directives.filter((it) => it.name === name);
}
