/** The program itself: the command line of this process, its streams, its exit code. Nothing is decided here. */
import type { CommandEntry } from './frame/command.ts';
import { openOutput } from './frame/output.ts';
import { runProgram } from './frame/program.ts';
import { singleCommand } from './single-commands.ts';

const surroundings = {
  argv: process.argv.slice(2),
  env: process.env,
  stdin: process.stdin,
  out: openOutput(process.stdout),
  err: openOutput(process.stderr),
};
process.exitCode = await runProgram(surroundings, await commandsFor(surroundings.argv));

async function commandsFor(argv: readonly string[]): Promise<readonly CommandEntry[]> {
  const single = await singleCommand(argv);
  if (single !== null) return [single];
  // What a store brings along takes time and memory that others should not wait for.
  if (argv.includes('store')) return (await import('./commands.ts')).commands;
  const { everydayCommands, storeByName } = await import('./everyday-commands.ts');
  return [...everydayCommands, storeByName];
}
