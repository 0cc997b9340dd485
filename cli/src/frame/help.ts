/** Help, made from what the commands say of themselves: an example first, then options, then exit codes. */
import type { Command, CommandEntry, Family, Option } from './command.ts';
import { allCommands, globalOptions, isFamily } from './command-line.ts';
import { exitCodes, exitMeanings } from './exit-codes.ts';

export function programHelp(commands: readonly CommandEntry[]): string {
  return sections([
    ['EXAMPLES', allCommands(commands.slice(0, 4)).flatMap((command) => exampleLines(command).slice(0, 2))],
    ['USAGE', ['edgeward COMMAND [OPTIONS]', 'edgeward COMMAND --help']],
    ['COMMANDS', columns(commands.map(({ name, summary }) => [name, summary]))],
    ['OPTIONS', columns(optionRows(globalOptions))],
    ['EXIT CODES', exitLines(null)],
  ]);
}

export function entryHelp(entry: CommandEntry): string {
  return isFamily(entry) ? familyHelp(entry) : commandHelp(entry);
}

function familyHelp({ name, summary, about, commands }: Family): string {
  return sections([
    ['EXAMPLES', commands.flatMap((command) => exampleLines(command).slice(0, 2))],
    ['USAGE', [`edgeward ${name} COMMAND [OPTIONS]`, `edgeward ${name} COMMAND --help`]],
    ['', [summary, ...(about ?? [])].flatMap((paragraph) => wrap(paragraph, 96))],
    ['COMMANDS', columns(commands.map((command) => [command.name.slice(name.length + 1), command.summary]))],
    ['OPTIONS', columns(optionRows(globalOptions))],
    ['EXIT CODES', exitLines(null)],
  ]);
}

function commandHelp(command: Command): string {
  const { usage, about } = command.help;
  return sections([
    ['EXAMPLES', exampleLines(command)],
    ['USAGE', usage.map((form) => `edgeward ${command.name}${form === '' ? '' : ` ${form}`}`)],
    ['', [command.summary, ...(about ?? [])].flatMap((paragraph) => wrap(paragraph, 96))],
    ['OPTIONS', columns(optionRows({ ...command.options, ...globalOptions }))],
    ['EXIT CODES', exitLines(command)],
  ]);
}

function sections(parts: readonly [string, readonly string[]][]): string {
  return `${parts
    .map(([title, lines]) =>
      [...(title === '' ? [] : [title]), ...lines.map((line) => `  ${line}`.trimEnd())].join('\n'),
    )
    .join('\n\n')}\n`;
}

function exampleLines(command: Command): string[] {
  return command.help.examples.flatMap(({ line, says }) => [line, `    ${says}`]);
}

function optionRows(options: Record<string, Option>): [string, string][] {
  return Object.entries(options).map(([name, { value, says }]) => [
    `${name === 'help' ? '-h, ' : ''}--${name}${value === undefined ? '' : ` ${value}`}`,
    says,
  ]);
}

function exitLines(command: Command | null): string[] {
  return columns(exitCodes.map((code) => [String(code), command?.help.exits?.[code] ?? exitMeanings[code]]));
}

function columns(rows: readonly [string, string][]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.flatMap(([left, right]) =>
    wrap(right, 94 - width).map((line, i) => (i === 0 ? left : '').padEnd(width) + line),
  );
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
