import crypto from 'crypto';
import { hasRoom, isOfPolicy } from './totals.ts';

/**
 * A flood told by its number. The first denials of a window are written each by itself; what is equal to them and comes
 * later is counted in a dictionary, and written as one line when the window is over (`fold-closing`). No denial is in
 * both, and none in neither: whoever adds one to a count is told by the sum whether that count tells of it.
 *
 * Bounded by the dictionary: where it has no room for one more source, denials are counted by object and reason, without
 * a source. Windows are named by their own begin and length, so a clock that steps only begins another one. In the dictionary:
 *
 *   sNAME     begins below 0 by as many as are written in full; what is above 0 is folded
 *   fNAME     folded all the same: there was no room, no line left for this object, or the line could not be written
 *   lWINDOW   TAB OBJECT   lines that one object may still have
 *   seed      a random number, so that references of this NGINX are its own
 */
export interface Folding {
  zone: FoldZone;
  /** Denials in full, of equal ones in a window. */
  after: number;
  windowMs: number;
}

/** What is used of NGINX's shared dictionary of numbers. */
export interface FoldZone {
  readonly capacity: number;
  freeSpace(): number;
  get(key: string): number | undefined;
  add(key: string, value: number): boolean;
  incr(key: string, delta: number, init: number): number;
  pop(key: string): number | undefined;
  delete(key: string): boolean;
  keys(most: number): string[];
  items(most: number): [string, number][];
}

/** What makes denials equal. Neither method nor path nor host, which whoever floods can choose. */
export interface Foldable {
  object: string;
  port: string;
  /** null: it has no address, or there are several. */
  source: string | null;
  verdict: 'deny' | 'would-deny';
  reason: string;
  rule: string | null;
  revision: number;
}

/** Lines in full of one object in a window, whatever the number of sources: so many times those of one source. */
const SOURCES_IN_FULL = 100;
const MOST_KEYS = 10000000;
const SEED = 'seed';

/** null: each is written in full. */
export function foldingOf(
  zone: FoldZone | undefined,
  after: string | undefined,
  seconds: string | undefined,
): Folding | null {
  const most = Math.floor(Number(after));
  const windowMs = Math.floor(Number(seconds)) * 1000;
  if (zone === undefined || !(most > 0) || !(windowMs > 0)) return null;
  return { zone, after: most, windowMs };
}

/** The name of what it was folded into; null: it is to be written in full. */
export function fold(folding: Folding, denial: Foldable, nowMs: number): string | null {
  const zone = folding.zone;
  const window = windowAt(nowMs, folding.windowMs);
  const name = nameIn(window, denial);
  try {
    if (!hasRoom(zone) && zone.get(`s${name}`) === undefined) return foldInto(zone, withoutSource(window, denial));
    if (zone.incr(`s${name}`, 1, -folding.after) > 0) return name;
    const lines = `l${window}\t${isOfPolicy(denial.reason) ? denial.object : ''}`;
    if (zone.incr(lines, 1, -SOURCES_IN_FULL * folding.after) <= 0) return null;
    return foldInto(zone, hasRoom(zone) ? name : withoutSource(window, denial));
  } catch (_full) {
    return null;
  }
}

/** One that was to be written in full, and could not be. Throws where there is no room. */
export function foldUnwritten(folding: Folding, denial: Foldable, nowMs: number): string {
  const window = windowAt(nowMs, folding.windowMs);
  const hasOwn = hasRoom(folding.zone);
  return foldInto(folding.zone, hasOwn ? nameIn(window, denial) : withoutSource(window, denial));
}

/** All that are folded into one have the reference of its line, so that each of them leads somewhere. */
export function refOf(zone: FoldZone, name: string): string {
  return crypto
    .createHash('md5')
    .update(`${seedOf(zone)}\t${name}`)
    .digest('hex')
    .slice(0, 16);
}

/** Never throws: what was folded is counted already, and nobody may count it once more as a failure. */
function seedOf(zone: FoldZone): number | undefined {
  const seed = zone.get(SEED);
  if (seed !== undefined) return seed;
  try {
    zone.add(SEED, Math.random());
  } catch (_full) {
    // Then references are those of any NGINX that has no room for it.
  }
  return zone.get(SEED);
}

function foldInto(zone: FoldZone, name: string): string {
  zone.incr(`f${name}`, 1, 0);
  return name;
}

function windowAt(nowMs: number, windowMs: number): string {
  return `${Math.floor(nowMs / windowMs) * windowMs} ${windowMs}`;
}

function withoutSource(window: string, denial: Foldable): string {
  return nameIn(window, {
    object: isOfPolicy(denial.reason) ? denial.object : '',
    port: denial.port,
    source: null,
    verdict: denial.verdict,
    reason: denial.reason,
    rule: denial.rule,
    revision: denial.revision,
  });
}

/** The object is last: a name that a client chose may hold whatever stands between the others. A port with that is none. */
function nameIn(window: string, denial: Foldable): string {
  const source = denial.source === null ? '' : denial.source;
  const rule = denial.rule === null ? '' : denial.rule;
  const port = denial.port.indexOf('\t') < 0 ? denial.port : 'tcp/';
  return `${window}\t${denial.verdict}\t${denial.reason}\t${denial.revision}\t${rule}\t${port}\t${source}\t${denial.object}`;
}

/** What a name says. */
export interface Fold extends Foldable {
  fromMs: number;
  windowMs: number;
}

export function foldNamed(name: string): Fold {
  const words = name.split('\t');
  const window = (words[0] as string).split(' ');
  return {
    fromMs: Number(window[0]),
    windowMs: Number(window[1]),
    verdict: words[1] as Fold['verdict'],
    reason: words[2] as string,
    revision: Number(words[3]),
    rule: words[4] || null,
    port: words[5] as string,
    source: words[6] || null,
    object: words.slice(7).join('\t'),
  };
}

/** Of windows that are not the one of now: over, or begun before the clock was set back. What has no count is deleted. */
export function namesOver(zone: FoldZone, nowMs: number): string[] {
  const names: Record<string, boolean> = Object.create(null);
  let open = '';
  zone.keys(MOST_KEYS).forEach((key) => {
    // Nearly all are of one window: looked at once.
    if (key === SEED || (open !== '' && key.slice(1, 1 + open.length) === open)) return;
    const window = key.slice(1, key.indexOf('\t') + 1);
    if (isOpen(window, nowMs)) open = window;
    else if (key.charAt(0) === 'l') zone.delete(key);
    else names[key.slice(1)] = true;
  });
  return Object.keys(names);
}

function isOpen(window: string, nowMs: number): boolean {
  const words = window.split(' ');
  const fromMs = Number(words[0]);
  return nowMs >= fromMs && nowMs < fromMs + Number(words[1]);
}

/** Takes the count out: whoever else tries finds nothing. */
export function takeFolded(zone: FoldZone, name: string): number {
  const beyond = zone.pop(`s${name}`) ?? 0;
  return Math.max(0, beyond) + (zone.pop(`f${name}`) ?? 0);
}

export function putBack(zone: FoldZone, name: string, count: number): void {
  zone.incr(`f${name}`, count, 0);
}

/** How many are folded and in no line yet. */
export function foldedIn(zone: FoldZone): number {
  let sum = 0;
  zone.items(MOST_KEYS).forEach((item) => {
    const kind = item[0].charAt(0);
    if (item[0] !== SEED && (kind === 's' || kind === 'f')) sum += Math.max(0, item[1]);
  });
  return sum;
}
