/**
 * Runs one command line from its first word to its exit code. Errors become a line with their code and their mend, or
 * one JSON document; whatever was thrown, the caller gets an exit code and never an exception.
 */
import type { EdgewardError } from '@edgeward/runtime';
import { version } from '../version.ts';
import type { CommandEntry, Context } from './command.ts';
import { asksForJson, type CommandLine, readCommandLine } from './command-line.ts';
import { codedError, type ExitCode, exitCodeOf } from './exit-codes.ts';
import { entryHelp, programHelp } from './help.ts';
import type { Output } from './output.ts';
import { createPaint, jsonText, printable, printableLines, wantsColour } from './terminal-text.ts';
import { usageError } from './usage-error.ts';

export interface Surroundings {
  argv: readonly string[];
  env: Record<string, string | undefined>;
  stdin: Context['stdin'];
  out: Output;
  err: Output;
}

type Run = Extract<CommandLine, { kind: 'run' }>;

export async function runProgram(here: Surroundings, commands: readonly CommandEntry[]): Promise<ExitCode> {
  try {
    return await runLine(here, commands);
  } catch (thrown) {
    const error = codedError(thrown);
    await report(here, error).catch(() => {}); // stderr itself is broken: the exit code still tells
    return exitCodeOf(error);
  }
}

async function runLine(here: Surroundings, commands: readonly CommandEntry[]): Promise<ExitCode> {
  if (here.argv.length === 0) {
    await here.err.write(programHelp(commands));
    return 2;
  }
  const line = readCommandLine(here.argv, commands);
  if (line.kind === 'run') return await line.command.run(contextOf(here, line));
  if (line.kind === 'version') await printVersion(here);
  else await here.out.write(line.command === null ? programHelp(commands) : entryHelp(line.command));
  return 0;
}

async function printVersion(here: Surroundings): Promise<void> {
  await here.out.write(asksForJson(here.argv) ? `${jsonText({ version })}\n` : `edgeward ${version}\n`);
}

function contextOf(here: Surroundings, { command, args, values }: Run): Context {
  const { out, err, env, stdin } = here;
  const text = (name: string): string | undefined => values.get(name)?.[0];
  return {
    args,
    json: values.has('json'),
    text,
    required(name) {
      const given = text(name);
      if (given !== undefined) return given;
      throw usageError(`'${command.name}' needs --${name} ${command.options[name]?.value ?? 'VALUE'}`, command.name);
    },
    texts: (name) => values.get(name) ?? [],
    flag: (name) => values.has(name),
    out,
    err,
    env,
    stdin,
    paint: createPaint(wantsColour(out.isTty, values.has('no-color'), env)),
    now: () => Date.now(),
    printJson: (value) => out.write(`${jsonText(value, out.isTty ? 2 : 0)}\n`),
  };
}

async function report(here: Surroundings, error: EdgewardError): Promise<void> {
  const { code, message, mend } = error;
  if (asksForJson(here.argv)) {
    await here.out.write(`${jsonText({ error: { code, message, mend } })}\n`);
    return;
  }
  const noColor = here.argv.includes('--no-color');
  const paint = createPaint(wantsColour(here.err.isTty, noColor, here.env));
  const head = `${paint.bad('error')} ${printable(code)}: ${printableLines(message)}`;
  await here.err.write(`${head}\n  ${printableLines(mend)}\n`);
  if (code === 'EDW_ERR_INTERNAL') await here.err.write(`\n${printableLines(stackOf(error))}\n`);
}

function stackOf(error: EdgewardError): string {
  return error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : String(error.cause);
}
