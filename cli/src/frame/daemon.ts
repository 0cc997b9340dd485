/** A command that runs until a signal ends it. What was opened is closed in order, also where it could not start. */
import { createLifecycle, type Lifecycle, type Logger } from '@edgeward/runtime';
import type { ExitCode } from './exit-codes.ts';

export async function runDaemon(logger: Logger, start: (lifecycle: Lifecycle) => Promise<unknown>): Promise<ExitCode> {
  const lifecycle = createLifecycle(logger);
  try {
    await start(lifecycle);
  } catch (thrown) {
    await lifecycle.shutdown('start failed');
    throw thrown;
  }
  await lifecycle.ended;
  return 0;
}
