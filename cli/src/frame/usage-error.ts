/** A command line that is wrong: what is wrong with it, and what it could have been. */
import { EdgewardError } from '@edgeward/runtime';

/** `mend` ends in where to look. */
export function usageError(message: string, command: string | null, hint = ''): EdgewardError {
  const help = `Run \`edgeward ${command === null ? '' : `${command} `}--help\`.`;
  return new EdgewardError('EDW_ERR_USAGE', message, { mend: `${hint} ${help}`.trim() });
}
