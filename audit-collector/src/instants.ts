/**
 * Instants as text and back. Denials of a flood share few of them, and each is asked for several times: the last one of each
 * way is remembered, which is most of them.
 */

let [lastMs, textOfLast] = [Number.NaN, ''];
let [lastText, msOfLast] = ['', Number.NaN];

/** As ISO, to the millisecond. Throws a RangeError past what a date can be. */
export function instantText(ms: number): string {
  if (ms !== lastMs) [textOfLast, lastMs] = [new Date(ms).toISOString(), ms];
  return textOfLast;
}

/** Milliseconds since the epoch; NaN where it is no date. */
export function instantMs(text: string): number {
  if (text !== lastText) [msOfLast, lastText] = [Date.parse(text), text];
  return msOfLast;
}
