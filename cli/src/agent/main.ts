/** The program of a host: `agent` and nothing else, so that little is loaded. Nothing is decided here. */
import { openOutput } from '../frame/output.ts';
import { runProgram } from '../frame/program.ts';
import { agent } from './agent.ts';

const surroundings = {
  argv: process.argv.slice(2),
  env: process.env,
  stdin: process.stdin,
  out: openOutput(process.stdout),
  err: openOutput(process.stderr),
};
// Where a module's own top waits for something, a bundle for a single executable can't be made.
void runProgram(surroundings, [agent]).then((exitCode) => {
  process.exitCode = exitCode;
});
