/**
 * From `argv` to a command and what it was given. Global options may stand anywhere. Nothing is ignored: an unknown
 * option, a missing value or one word too many is an error that names what was probably meant.
 */
import { parseArgs } from 'node:util';
import type { Command, CommandEntry, Family, Option } from './command.ts';
import { didYouMean } from './nearest-name.ts';
import { usageError } from './usage-error.ts';

export type CommandLine =
  | { kind: 'version' }
  | { kind: 'help'; command: CommandEntry | null }
  | { kind: 'run'; command: Command; args: string[]; values: Map<string, string[]> };

export const globalOptions: Record<string, Option> = {
  json: { type: 'boolean', says: 'Print JSON on stdout, errors included.' },
  'no-color': { type: 'boolean', says: 'No colours; NO_COLOR does the same.' },
  help: { type: 'boolean', says: 'Show this.' },
  version: { type: 'boolean', says: 'Print the version.' },
};

type Token = NonNullable<ReturnType<typeof parseArgs>['tokens']>[number];
type OptionToken = Extract<Token, { kind: 'option' }>;

/** Throws EDW_ERR_USAGE. */
export function readCommandLine(argv: readonly string[], commands: readonly CommandEntry[]): CommandLine {
  const tokens = tokensOf(argv, commands);
  const words = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []));
  const given = tokens.filter((token) => token.kind === 'option');
  const named = (name: string): boolean => given.some((token) => token.name === name);
  if (words[0] === 'help') return { kind: 'help', command: entryOf(words.slice(1), commands).entry };
  const { entry, rest } = entryOf(words, commands);
  if (named('help')) return { kind: 'help', command: entry };
  if (named('version')) return { kind: 'version' };
  if (entry === null) {
    valuesOf(given, null);
    throw usageError('no command was given', null, 'Try `edgeward check DIR`.');
  }
  if (isFamily(entry)) throw usageError(`'${entry.name}' needs a command`, entry.name, `It has ${membersOf(entry)}.`);
  const values = valuesOf(given, entry);
  return { kind: 'run', command: entry, args: argumentsOf(rest, entry), values };
}

export function isFamily(entry: CommandEntry): entry is Family {
  return 'commands' in entry;
}

/** Every command, those of families too. */
export function allCommands(entries: readonly CommandEntry[]): Command[] {
  return entries.flatMap((entry) => (isFamily(entry) ? entry.commands : [entry]));
}

/** Whether JSON was asked for, also on a command line that is wrong otherwise. */
export function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end < 0 ? argv.length : end).includes('--json');
}

/** Which options take a value is known before the command is, because a name means the same in every command. */
function tokensOf(argv: readonly string[], commands: readonly CommandEntry[]): Token[] {
  const all: Record<string, Option> = Object.assign(
    {},
    ...allCommands(commands).map((it) => it.options),
    globalOptions,
  );
  const options = Object.fromEntries(
    Object.entries(all).map(([name, { type }]) => [name, name === 'help' ? { type, short: 'h' } : { type }]),
  );
  return parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true }).tokens;
}

interface Found {
  entry: CommandEntry | null;
  /** Words that name nothing any more. */
  rest: string[];
}

function entryOf(words: readonly string[], entries: readonly CommandEntry[]): Found {
  const [name, member, ...rest] = words;
  if (name === undefined) return { entry: null, rest: [] };
  const entry = entryNamed(name, entries, null);
  if (!isFamily(entry)) return { entry, rest: words.slice(1) };
  if (member === undefined) return { entry, rest: [] };
  return { entry: entryNamed(`${entry.name} ${member}`, entry.commands, entry.name), rest };
}

function entryNamed<Entry extends CommandEntry>(name: string, entries: readonly Entry[], family: string | null): Entry {
  const entry = entries.find((it) => it.name === name);
  if (entry !== undefined) return entry;
  const known = entries.map((it) => it.name);
  throw usageError(`there is no command '${name}'`, family, didYouMean(name, known).trim());
}

function membersOf({ name, commands }: Family): string {
  return commands.map((command) => command.name.slice(name.length + 1)).join(', ');
}

function valuesOf(given: readonly OptionToken[], command: Command | null): Map<string, string[]> {
  const values = new Map<string, string[]>();
  const options = { ...command?.options, ...globalOptions };
  for (const token of given) {
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (option === undefined) throw unknownOption(token, command, Object.keys(options));
    const value = givenValue(token, option, command);
    const before = values.get(token.name) ?? [];
    if (option.type === 'string' && before.length > 0 && option.multiple !== true) {
      throw usageError(`${token.rawName} is given twice`, command?.name ?? null);
    }
    values.set(token.name, [...before, value]);
  }
  return values;
}

function unknownOption(token: OptionToken, command: Command | null, names: readonly string[]): Error {
  const where = command === null ? '' : ` for '${command.name}'`;
  const hint = didYouMean(token.name, names, '--').trim();
  return usageError(`there is no option ${token.rawName}${where}`, command?.name ?? null, hint);
}

function givenValue(token: OptionToken, option: Option, command: Command | null): string {
  const name = command?.name ?? null;
  if (option.type === 'boolean') {
    if (token.value === undefined) return '';
    throw usageError(`${token.rawName} takes no value`, name);
  }
  if (token.value === undefined) throw usageError(`${token.rawName} needs a value: ${option.value ?? 'VALUE'}`, name);
  // `--from --to x` is a forgotten value, not a source named `--to`; `-` alone means stdin or stdout.
  if (token.inlineValue === false && /^-./.test(token.value)) {
    const hint = `Write ${token.rawName}=${token.value} if that is meant.`;
    throw usageError(`${token.rawName} needs a value before ${token.value}`, name, hint);
  }
  return token.value;
}

function argumentsOf(words: string[], command: Command): string[] {
  const { args, name } = command;
  const missing = args[words.length];
  if (missing !== undefined && !missing.startsWith('[')) throw usageError(`'${name}' needs ${missing}`, name);
  const extra = words[args.length];
  const isRepeated = args.at(-1)?.endsWith('...') === true;
  if (extra !== undefined && !isRepeated) throw usageError(`'${extra}' is one argument too many`, name);
  const empty = words.indexOf('');
  if (empty >= 0) throw usageError(`${args[empty] ?? args.at(-1)} is empty`, name);
  return words;
}
