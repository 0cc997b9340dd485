/** What is known of points at one moment, as the roll-out looks at them. */
import type { Nack } from '@edgeward/policy-format';

export interface Sights {
  /** Since when somebody or other has been heard without a gap: silence from before says nothing of a point. */
  sinceMs: number;
  /** When anybody was heard last; null: nobody was. */
  heardMs: number | null;
  points: ReadonlyMap<string, Sight>;
}

export interface Sight {
  /** The newest report. */
  heardMs: number;
  /** Since when its reports have come without a gap. */
  presentMs: number;
  /** When the new version was first served to it, as far as this process knows; null: not yet. */
  servedMs: number | null;
  /** When it first said that it holds the new version; null: it has not. */
  appliedMs: number | null;
  /** Of the new version. */
  nack: Nack | null;
  /** It believes no version as old as the one that it is served. */
  refusesOlder: boolean;
  /** Denials since it applied the version, and in what time; null before. */
  denials: { count: number; forMs: number } | null;
  /** The rate of the last hour. */
  deniedPerHour: number;
}

/** Services that report beside one another for a point; of more, the last ones count. */
export const MAX_SERVICES = 8;

/** A point that has not been heard of for so long, while others were, is away. */
export const AWAY_MS = 180_000;

/** Who was never heard of has this long from when there was something to say. */
export function isPresent(sight: Sight | undefined, sights: Sights, movedMs: number, nowMs: number): boolean {
  return nowMs - Math.max(sight?.heardMs ?? movedMs, sights.sinceMs) <= AWAY_MS;
}

/** Whether anybody is heard. If not, it is the store that is alone, and silence says nothing about the version. */
export function isHearing({ heardMs }: Sights, nowMs: number): boolean {
  return heardMs !== null && nowMs - heardMs <= AWAY_MS;
}
