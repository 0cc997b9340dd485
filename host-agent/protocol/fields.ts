import { EdgewardError } from '@edgeward/runtime';
import * as z from 'zod';

/**
 * Fields that messages between a host and its service are made of. A text that a person may see later is made fit to be
 * shown as it is read. Members that are not known are passed over: the other end may be newer.
 */
export const nameField: z.ZodType<string> = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'is no name');
export const countField: z.ZodType<number> = z.int().min(0);
export const hashField: z.ZodType<string> = z.string().regex(/^[0-9a-f]{64}$/, 'is no sha256 in lower-case hex');
export const codeField: z.ZodType<string> = z.string().regex(/^EDW_[A-Z0-9_]{1,64}$/, 'is no code');
/** As `Date.toISOString` writes it. */
export const instantField: z.ZodType<string> = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/, 'is no time in UTC with milliseconds')
  .refine((text) => !Number.isNaN(Date.parse(text)), 'is no time that exists');

/** Of one line; control characters, and what turns the direction of text, become a replacement character. */
export function wordsField(maxCharacters: number): z.ZodType<string> {
  return z
    .string()
    .max(maxCharacters)
    .transform((text) => text.replace(UNSHOWABLE, '\u{fffd}'));
}

const UNSHOWABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

/** `value` as the schema has it; else `code`, with the first few places that differ. */
export function readAs<Value>(
  schema: z.ZodType<Value>,
  value: unknown,
  refusal: { code: string; what: string; mend: string },
): Value {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const places = read.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.') || 'it'}: ${issue.message}`);
  const words = places.join('; ').replace(UNSHOWABLE, '\u{fffd}').slice(0, 500);
  throw new EdgewardError(refusal.code, `reading ${refusal.what}: ${words}`, { mend: refusal.mend });
}

/** The value that the text stands for, or undefined: JSON has no such value. */
export function valueIn(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
