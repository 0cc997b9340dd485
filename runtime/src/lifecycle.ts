/**
 * One orderly end for a process: what was opened last closes first, once, within a deadline, whether a signal or the
 * program itself asked for it. A second signal ends at once. Nothing here knows what it closes.
 */
import { messageOf } from './errors.ts';
import type { Logger } from './logger.ts';

export interface Lifecycle {
  /** Registers a closer. Registered while ending already, it is called at once. */
  onClose(name: string, close: () => Promise<void> | void): void;
  /** Closes everything. Later calls get the same answer; it never rejects. */
  shutdown(reason: string): Promise<Shutdown>;
  /** Aborted as soon as the end begins, before the first closer runs. */
  readonly ending: AbortSignal;
  /** Settles when everything is closed, whoever asked for it. */
  readonly ended: Promise<Shutdown>;
  /** Takes back the process's handlers; for programs that go on living. */
  release(): void;
}

export interface Shutdown {
  reason: string;
  /** Names of what failed to close, or had not closed at the deadline. */
  unclosed: string[];
}

const signals = ['SIGINT', 'SIGTERM'] as const;
const echoMs = 300;

export function createLifecycle(logger: Logger, options: { deadlineMs?: number } = {}): Lifecycle {
  const closers: Closer[] = [];
  const controller = new AbortController();
  let settle: (shutdown: Shutdown) => void;
  const ended = new Promise<Shutdown>((resolve) => {
    settle = resolve;
  });

  function shutdown(reason: string): Promise<Shutdown> {
    if (controller.signal.aborted) return ended;
    controller.abort();
    logger.info({ event: 'shutdown', reason }, 'closing');
    void closeAll(closers, options.deadlineMs ?? 10_000, logger).then((unclosed) => {
      logger.info({ event: 'shutdown_done', reason, unclosed }, 'closed');
      settle({ reason, unclosed });
    });
    return ended;
  }

  return {
    shutdown,
    ended,
    ending: controller.signal,
    release: handleProcess(logger, controller.signal, shutdown),
    onClose(name, close) {
      if (controller.signal.aborted) void runCloser({ name, close }, logger);
      else closers.push({ name, close });
    },
  };
}

interface Closer {
  name: string;
  close: () => Promise<void> | void;
}

async function closeAll(closers: Closer[], deadlineMs: number, logger: Logger): Promise<string[]> {
  const waiting = new Set(closers);
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, deadlineMs);
  });
  await Promise.race([closeInOrder(closers.toReversed(), waiting, logger), deadline]);
  clearTimeout(timer);
  return [...waiting].map((closer) => closer.name);
}

async function closeInOrder(closers: Closer[], waiting: Set<Closer>, logger: Logger): Promise<void> {
  for (const closer of closers) if (await runCloser(closer, logger)) waiting.delete(closer);
}

async function runCloser(closer: Closer, logger: Logger): Promise<boolean> {
  try {
    await closer.close();
    return true;
  } catch (thrown) {
    logger.error({ event: 'close_failed', name: closer.name, err: thrown }, messageOf(thrown));
    return false;
  }
}

/** Signals end the process in order; what nobody caught ends it at once, because its state is unknown by then. */
function handleProcess(
  logger: Logger,
  ending: AbortSignal,
  shutdown: (reason: string) => Promise<Shutdown>,
): () => void {
  let firstAtMs: number | null = null;
  const onSignal = (signal: NodeJS.Signals): void => {
    const nowMs = performance.now();
    // npm passes on the Ctrl-C that the terminal has sent to its child already: an echo, not impatience.
    if (firstAtMs !== null && nowMs - firstAtMs < echoMs) return;
    if (firstAtMs !== null || ending.aborted) process.exit(signal === 'SIGINT' ? 130 : 143);
    firstAtMs = nowMs;
    void shutdown(signal).then(({ unclosed }) => process.exit(unclosed.length === 0 ? 0 : 1));
  };
  const onCrash = (thrown: unknown): void => {
    logger.fatal({ event: 'crash', err: thrown }, messageOf(thrown));
    process.exit(1);
  };
  for (const signal of signals) process.on(signal, onSignal);
  process.on('uncaughtException', onCrash);
  process.on('unhandledRejection', onCrash);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
    process.off('uncaughtException', onCrash);
    process.off('unhandledRejection', onCrash);
  };
}
