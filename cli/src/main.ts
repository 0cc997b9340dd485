/** The program itself: the command line of this process, its streams, its exit code. Nothing is decided here. */
import { everydayCommands, storeByName } from './everyday-commands.ts';
import { openOutput } from './frame/output.ts';
import { runProgram } from './frame/program.ts';

const surroundings = {
  argv: process.argv.slice(2),
  env: process.env,
  stdin: process.stdin,
  out: openOutput(process.stdout),
  err: openOutput(process.stderr),
};
// What a store brings along takes time and memory that a verdict should not wait for.
const commands = surroundings.argv.includes('store')
  ? (await import('./commands.ts')).commands
  : [...everydayCommands, storeByName];
process.exitCode = await runProgram(surroundings, commands);
