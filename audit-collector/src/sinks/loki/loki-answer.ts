/**
 * What Loki says of a push with one stream. A 400 may be a partial success: what it refused is counted in its words, and the
 * rest is stored. Its words are those of Loki 2.9 to 3.x; of several streams it would tell about the last one only, which is
 * why a push has one. What is refused for its time is told by place, as the entries of a push are in the order of time:
 * too old or too far behind are the first ones, too new the last ones.
 */
import type { PushAnswer } from '../http-push.ts';
import type { Rejection } from '../sink.ts';

export type LokiVerdict =
  | { state: 'stored' }
  | { state: 'partial'; refused: Refusal[] }
  /** It stored some of them, and does not say of all of them what became of it. */
  | { state: 'unclear' }
  | { state: 'busy'; retryAfterMs: number; words: string }
  | { state: 'refused' | 'server-error'; words: string };

export interface Refusal {
  reason: Rejection;
  count: number;
  /** Of those that are too old or too far behind: what it would have taken. */
  oldestMs: number | null;
}

export function understood({ status, text, isCut, retryAfterMs }: PushAnswer, entries: number): LokiVerdict {
  const words = `${status} ${firstWords(text)}`.trim();
  // Anything else that means success may be somebody who is not Loki, and 260 is Loki's word for what it threw away.
  if (status === 204 || (status === 200 && text === '')) return { state: 'stored' };
  if (status === 429 || status === 503) return { state: 'busy', retryAfterMs, words };
  if (status >= 500) return { state: 'server-error', words };
  // Of how many it tells behind that, nobody knows.
  if (status === 400 && isCut) return { state: 'unclear' };
  const ignored = status === 400 ? /total ignored: (\d+) out of (\d+)/.exec(text) : null;
  // Those that it found invalid before are not named then; and of a stream that it has split, this is about one piece.
  if (ignored !== null && Number(ignored[2]) !== entries) return { state: 'unclear' };
  const refused =
    ignored !== null ? [ignoredEntries(text, Number(ignored[1]))] : status === 400 ? invalidEntries(text) : [];
  const count = refused.reduce((sum, refusal) => sum + refusal.count, 0);
  // Words that we don't know, or that add up to more than was sent: not to be guessed at.
  return count === 0 || count > entries ? { state: 'refused', words } : { state: 'partial', refused };
}

const firstWords = (text: string): string => text.replaceAll(/\s+/g, ' ').trim().slice(0, 300);

function ignoredEntries(text: string, count: number): Refusal {
  const reason: Rejection = /too far behind|out of order/.test(text) ? 'too-far-behind' : 'other';
  return { reason, count, oldestMs: acceptableIn(text) };
}

const invalid: readonly [Exclude<Rejection, 'too-far-behind' | 'other'>, RegExp][] = [
  ['too-old', /(?:(\d{1,7}) errors like: )?entry for stream '[^']*' has timestamp too old/g],
  ['too-new', /(?:(\d{1,7}) errors like: )?entry for stream '[^']*' has timestamp too new/g],
  ['too-long', /(?:(\d{1,7}) errors like: )?Max entry size /g],
];

/** Checked one by one, before anything is stored: `2 errors like: entry for stream …; 1 errors like: …`. */
function invalidEntries(text: string): Refusal[] {
  return invalid.flatMap(([reason, words]) => {
    const count = [...text.matchAll(words)].reduce((sum, [, many]) => sum + Number(many ?? 1), 0);
    return count === 0 ? [] : [{ reason, count, oldestMs: reason === 'too-old' ? acceptableIn(text) : null }];
  });
}

/** To the second, rounded down, and the highest that is named: the limit moves on while entries are looked at. */
function acceptableIn(text: string): number | null {
  const named = [...text.matchAll(/oldest acceptable timestamp is: ([0-9TZ:+-]+)/g)];
  const times = named.map(([, time = '']) => Date.parse(time)).filter(Number.isFinite);
  return times.length === 0 ? null : Math.max(...times);
}
