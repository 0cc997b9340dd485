/** The time of one call, and the caller's own wish to end it, as one signal. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** It ended because the time was over, not because the caller wished it. */
  isOver(): boolean;
  /** Gives back the timer and what listens. */
  clear(): void;
}

/** `AbortSignal.any` would keep an entry at a signal that lives as long as the service, for each call that it makes. */
export function deadline(limitMs: number, outer: AbortSignal): Deadline {
  const controller = new AbortController();
  let over = false;
  const stop = (): void => controller.abort(outer.reason);
  const timer = setTimeout(() => {
    over = true;
    controller.abort(new Error(`no whole answer within ${limitMs} ms`));
  }, limitMs);
  timer.unref();
  if (outer.aborted) stop();
  else outer.addEventListener('abort', stop, { once: true });
  return {
    signal: controller.signal,
    isOver: () => over,
    clear() {
      clearTimeout(timer);
      outer.removeEventListener('abort', stop);
    },
  };
}
