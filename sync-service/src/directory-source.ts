import { createDirectoryReader, watchDirectory } from '@edgeward/policy-source';
import { EdgewardError, type Logger, messageOf } from '@edgeward/runtime';
import type { Publisher } from './publisher.ts';

/** The embedded store: a directory, watched. Every reading is offered; whether it comes into force is not decided here. */
export interface DirectoryOffers {
  /** Settles after the first reading was offered. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export function offerDirectory(directory: string, publisher: Publisher, logger: Logger): DirectoryOffers {
  const reader = createDirectoryReader(directory);
  let watch: { close(): void } | null = null;
  let reading: Promise<void> = Promise.resolve();
  let away = false;

  async function read(): Promise<void> {
    try {
      const startedAtMs = performance.now();
      const { documents, findings, changed } = await reader.read();
      const tookMs = Math.round(performance.now() - startedAtMs);
      logger.debug({ event: 'policy_read', documents: documents.length, changed, tookMs }, 'read');
      if (changed || away) await publisher.offer(documents, findings);
      away = false;
    } catch (thrown) {
      away = true;
      if (!(thrown instanceof EdgewardError)) throw thrown;
      publisher.sourceAway(thrown);
    }
  }

  function readNext(): Promise<void> {
    reading = reading.then(read).catch((cause: unknown) => {
      logger.error({ event: 'source_failed', err: cause }, messageOf(cause));
      // What is in the directory is not in force: the status must not call it current.
      publisher.sourceAway(unexpected(cause));
    });
    return reading;
  }

  return {
    async start() {
      await readNext();
      watch = watchDirectory(directory, { onChange: readNext, logger });
    },
    async close() {
      watch?.close();
      await reading;
    },
  };
}

function unexpected(cause: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_INTERNAL', `taking over the policy: ${messageOf(cause)}`, {
    mend: 'This is a bug: report it with the log around event source_failed. What was in force stays.',
    cause,
  });
}
