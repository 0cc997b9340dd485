/**
 * Every failure that a person may see: a stable code, what was being done, and the mend. The codes stand in
 * `docs/errors.md`; a test keeps both equal.
 */
export class EdgewardError extends Error {
  readonly code: string;
  /** What to do about it, one sentence or two. */
  readonly mend: string;

  constructor(code: string, message: string, options: { mend: string; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'EdgewardError';
    this.code = code;
    this.mend = options.mend;
  }
}

/** The message of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
