/**
 * Every failure that a person may see: a stable code, what was being done, and the mend. The codes stand in
 * `docs/errors.md`; a test keeps both equal.
 */
export class EdgewardError extends Error {
  readonly code: string;
  /** What to do about it, one sentence or two. */
  readonly mend: string;
  /** Where it goes away by itself: when to try again. An answer over HTTP says it as `Retry-After`. */
  readonly retryAfterMs?: number;

  constructor(code: string, message: string, options: { mend: string; cause?: unknown; retryAfterMs?: number }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'EdgewardError';
    this.code = code;
    this.mend = options.mend;
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
  }
}

/** The message of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
