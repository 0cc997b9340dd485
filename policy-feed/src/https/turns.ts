/** So many calls at a time; who comes later waits for a turn, in order of coming. */
export interface Turns {
  /** Settles as the work does; rejects with the reason of `signal` where that comes before its turn. */
  take<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

/** `atOnce` may grow. */
export function createTurns(atOnce: () => number): Turns {
  const waiting = new Set<() => void>();
  let working = 0;

  function enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (working < atOnce()) {
      working += 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const begin = (): void => {
        waiting.delete(begin);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const end = (): void => {
        waiting.delete(begin);
        reject(signal.reason);
      };
      waiting.add(begin);
      signal.addEventListener('abort', end, { once: true });
    });
  }

  /** Whoever waits longest has the place; nobody who comes now can take it. */
  function leave(): void {
    const [next] = waiting;
    if (next === undefined) working -= 1;
    else next();
  }

  return {
    async take(work, signal) {
      await enter(signal);
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };
}
