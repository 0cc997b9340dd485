/**
 * From `argv` to a command and what it was given. Global options may stand anywhere. Nothing is ignored: an unknown
 * option, a missing value or one word too many is an error that names what was probably meant.
 */
import { parseArgs } from 'node:util';
import type { Command, Option } from './command.ts';
import { didYouMean } from './nearest-name.ts';
import { usageError } from './usage-error.ts';

export type CommandLine =
  | { kind: 'version' }
  | { kind: 'help'; command: Command | null }
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
export function readCommandLine(argv: readonly string[], commands: readonly Command[]): CommandLine {
  const tokens = tokensOf(argv, commands);
  const words = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []));
  const given = tokens.filter((token) => token.kind === 'option');
  const named = (name: string): boolean => given.some((token) => token.name === name);
  if (words[0] === 'help') {
    return { kind: 'help', command: words[1] === undefined ? null : commandOf(words[1], commands) };
  }
  const command = words[0] === undefined ? null : commandOf(words[0], commands);
  if (named('help')) return { kind: 'help', command };
  if (named('version')) return { kind: 'version' };
  const values = valuesOf(given, command);
  if (command === null) throw usageError('no command was given', null, 'Try `edgeward check DIR`.');
  return { kind: 'run', command, args: argumentsOf(words.slice(1), command), values };
}

/** Whether JSON was asked for, also on a command line that is wrong otherwise. */
export function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end < 0 ? argv.length : end).includes('--json');
}

/** Which options take a value is known before the command is, because a name means the same in every command. */
function tokensOf(argv: readonly string[], commands: readonly Command[]): Token[] {
  const all: Record<string, Option> = Object.assign({}, ...commands.map((it) => it.options), globalOptions);
  const options = Object.fromEntries(
    Object.entries(all).map(([name, { type }]) => [name, name === 'help' ? { type, short: 'h' } : { type }]),
  );
  return parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true }).tokens;
}

function commandOf(name: string, commands: readonly Command[]): Command {
  const command = commands.find((it) => it.name === name);
  if (command !== undefined) return command;
  const names = commands.map((it) => it.name);
  throw usageError(`there is no command '${name}'`, null, didYouMean(name, names).trim());
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
  const missing = command.args[words.length];
  if (missing !== undefined && !missing.startsWith('[')) {
    throw usageError(`'${command.name}' needs ${missing}`, command.name);
  }
  const extra = words[command.args.length];
  if (extra !== undefined) throw usageError(`'${extra}' is one argument too many`, command.name);
  const empty = words.indexOf('');
  if (empty >= 0) throw usageError(`${command.args[empty]} is empty`, command.name);
  return words;
}
