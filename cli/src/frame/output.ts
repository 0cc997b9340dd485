/**
 * A stream to write to, one piece after the other, each awaited, so that a slow reader slows us down instead of filling
 * the memory. A reader that has gone away (`edgeward … | head`) is no failure: what follows is dropped.
 */
import type { WriteStream } from 'node:tty';
import { EdgewardError, messageOf, systemCodeOf } from '@edgeward/runtime';

export interface Output {
  /** Throws EDW_ERR_OUTPUT. */
  write(text: string): Promise<void>;
  readonly isTty: boolean;
  /** Lines that the terminal shows; 24 where it is none. */
  readonly rows: number;
  /** Aborted when nobody reads any more. */
  readonly gone: AbortSignal;
}

export function openOutput(stream: NodeJS.WritableStream): Output {
  const gone = new AbortController();
  const terminal = stream as Partial<WriteStream>;
  // Without a listener the process would die of what the callback below reports.
  stream.on('error', () => {});
  return {
    gone: gone.signal,
    isTty: terminal.isTTY === true,
    get rows() {
      return terminal.rows ?? 24;
    },
    write: (text) => writeTo(stream, text, gone),
  };
}

function writeTo(stream: NodeJS.WritableStream, text: string, gone: AbortController): Promise<void> {
  if (gone.signal.aborted || text === '') return Promise.resolve();
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => {
      const code = systemCodeOf(error);
      if (code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED') gone.abort();
      else if (error) return reject(outputError(error));
      resolve();
    });
  });
}

function outputError(cause: unknown): EdgewardError {
  const mend = 'Free some space where the output goes, or send it elsewhere.';
  return new EdgewardError('EDW_ERR_OUTPUT', `writing the output: ${messageOf(cause)}`, { mend, cause });
}
