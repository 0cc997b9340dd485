import { cleanText } from './icontrol/index.ts';

/** What a box sent, before it lands in an error, a log or a status: one line, bounded, nothing that moves a terminal. */
export function boxText(value: unknown, maxChars = 200): string {
  if (typeof value !== 'string') return '';
  const clean = cleanText(value);
  return clean.length > maxChars ? `${clean.slice(0, maxChars)}…` : clean;
}
