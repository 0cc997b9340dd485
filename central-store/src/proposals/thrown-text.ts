/**
 * What was thrown in one thread, thrown in another: code, message, mend and what hangs on the cause are the same. A clone
 * of an error by the platform forgets all but its message.
 */
import { EdgewardError } from '@edgeward/runtime';

interface Written {
  isEdgeward: boolean;
  name: string;
  message: string;
  mend: string;
  stack: string;
  /** Other fields: `code` of a system error, `findings` of a policy. */
  fields: { [key: string]: unknown };
  cause: Written | null;
}

/** A cause has causes; nobody looks further down. */
const MAX_CAUSES = 4;

export function thrownText(thrown: unknown): string {
  try {
    return JSON.stringify(writtenOf(thrown, 0));
  } catch {
    // A field that is no JSON hides nothing of what has to be told.
    return JSON.stringify({ ...writtenOf(thrown, MAX_CAUSES), fields: codeOf(thrown), cause: null });
  }
}

export function thrownFrom(text: string): Error {
  return errorOf(JSON.parse(text) as Written);
}

function writtenOf(thrown: unknown, depth: number): Written {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { name, message, stack = '', cause } = error;
  const isEdgeward = error instanceof EdgewardError;
  const mend = isEdgeward ? error.mend : '';
  const hasCause = cause !== undefined && depth < MAX_CAUSES;
  const { name: _name, mend: _mend, cause: _cause, ...fields } = error as Error & { mend?: unknown };
  return { isEdgeward, name, message, mend, stack, fields, cause: hasCause ? writtenOf(cause, depth + 1) : null };
}

function codeOf(thrown: unknown): { code?: string } {
  return thrown instanceof Error && 'code' in thrown ? { code: String(thrown.code) } : {};
}

function errorOf({ isEdgeward, name, message, mend, stack, fields, cause }: Written): Error {
  const options = cause === null ? {} : { cause: errorOf(cause) };
  const { retryAfterMs } = fields;
  const again = typeof retryAfterMs === 'number' ? { retryAfterMs } : {};
  const error = isEdgeward
    ? new EdgewardError(String(fields.code), message, { mend, ...options, ...again })
    : Object.assign(new Error(message, options), fields, { name });
  error.stack = stack;
  return error;
}
