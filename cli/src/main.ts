/** The program itself: the command line of this process, its streams, its exit code. Nothing is decided here. */
import { commands } from './commands.ts';
import { openOutput } from './frame/output.ts';
import { runProgram } from './frame/program.ts';

const surroundings = {
  argv: process.argv.slice(2),
  env: process.env,
  stdin: process.stdin,
  out: openOutput(process.stdout),
  err: openOutput(process.stderr),
};
process.exitCode = await runProgram(surroundings, commands);
