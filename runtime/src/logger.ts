/**
 * The root logger: JSON lines on stderr, one event a line, ISO time. Writes are synchronous, so that the line that
 * explains an exit is out before the exit. It reads no configuration and redacts nothing: secrets are never passed to it.
 */
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino';

export type { Logger } from 'pino';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Anything that takes a finished line: a stream, or an object with `write` in a test. */
export type LogDestination = DestinationStream;

export function createLogger(options: { level: LogLevel; destination?: LogDestination }): Logger {
  const lines = options.destination ?? destination({ fd: 2, sync: true });
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    lines,
  );
}
