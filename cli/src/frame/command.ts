/**
 * What a command is. A command parses nothing and formats no help: it says what it takes and what it does, and gets a
 * context that has what it asked for. It answers with an exit code, or throws an EdgewardError.
 */
import type { ExitCode } from './exit-codes.ts';
import type { Output } from './output.ts';
import type { Paint } from './terminal-text.ts';

export interface Command {
  /** One of a family is named with it: `bigip plan`. */
  name: string;
  /** One line in the list of all commands. */
  summary: string;
  help: CommandHelp;
  /** Names of the arguments, all needed unless they are written `[NAME]`. The last may be repeated: `NAME...`. */
  args: readonly string[];
  /** By name, without the dashes. A name means the same type in every command. */
  options: Record<string, Option>;
  run(context: Context): Promise<ExitCode>;
}

/** Commands about one thing, each with options of its own. */
export interface Family {
  /** One word: `bigip`. */
  name: string;
  summary: string;
  /** Anything that is true of all of them; a paragraph each. */
  about?: readonly string[];
  commands: readonly Command[];
}

export type CommandEntry = Command | Family;

interface CommandHelp {
  /** The first thing that help shows: what to type, and what for. */
  examples: readonly { line: string; says: string }[];
  /** What follows the command's name, one line for each form. */
  usage: readonly string[];
  /** Anything that examples and options leave open; a paragraph each. */
  about?: readonly string[];
  /** What the exit codes mean here, where it is more than the general word. */
  exits?: Partial<Record<ExitCode, string>>;
}

export interface Option {
  type: 'string' | 'boolean';
  /** What help calls the value: `FILE`. */
  value?: string;
  says: string;
  /** May be given several times. */
  multiple?: boolean;
}

export interface Context {
  /** As the command asked for them; an optional one that was not given is missing. */
  args: readonly string[];
  json: boolean;
  /** The value of an option. */
  text(name: string): string | undefined;
  /** The value of an option that has to be given: EDW_ERR_USAGE without it. */
  required(name: string): string;
  /** All values of an option that may be repeated. */
  texts(name: string): string[];
  flag(name: string): boolean;
  /** Answers. */
  out: Output;
  /** Everything that is not the answer. */
  err: Output;
  /** Colours for `out`. */
  paint: Paint;
  stdin: NodeJS.ReadableStream & AsyncIterable<Uint8Array | string>;
  env: Record<string, string | undefined>;
  now(): number;
  /** Prints one JSON document and a newline. */
  printJson(value: unknown): Promise<void>;
}
