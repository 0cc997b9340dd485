/** The service's log in a file, so that the screen belongs to the demonstration. */
import { createWriteStream } from 'node:fs';
import type { LogDestination } from '@edgeward/runtime';

export function destinationFile(path: string): LogDestination {
  const stream = createWriteStream(path, { flags: 'a' });
  // The folder goes with the demonstration; a line that comes later is of no use to anybody.
  stream.on('error', () => {});
  return { write: (line) => void stream.write(line) };
}
