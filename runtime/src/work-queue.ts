/** One piece of work after another: each begins when the one before it has ended, whatever came of that. */
export interface WorkQueue {
  /** Settles as the work does. */
  run<T>(work: () => Promise<T> | T): Promise<T>;
  /** When nothing is left to do, also of what was handed in meanwhile. */
  settled(): Promise<void>;
}

export function createWorkQueue(): WorkQueue {
  let last: Promise<unknown> = Promise.resolve();
  return {
    run(work) {
      const done = last.then(work);
      last = done.catch(() => {}); // told to whoever handed it in
      return done;
    },
    async settled() {
      for (let before: unknown = null; before !== last; ) {
        before = last;
        await last;
      }
    },
  };
}
