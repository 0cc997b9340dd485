/**
 * The lives of a ledger. Ids are given one after the other, so a copy that is written to gives ids that the original gave to
 * other events. Wherever one is found to be a copy, a new life begins after the last id that it has: what was stored before
 * keeps its name, and what comes from then on has one that nobody else has.
 */
export interface LedgerLife {
  /** 32 hex digits. */
  epoch: string;
  /** Ids up to this one were given in lives before. */
  afterId: number;
}

/** What an event is called for ever, wherever it goes: numbers are 1, 2, 3 … in each life. */
export interface EventName {
  epoch: string;
  seq: number;
}

/** Lives are in their order; there is one at least. */
export function eventName(lives: readonly LedgerLife[], id: number): EventName {
  const own = lives.findLast(({ afterId }) => afterId < id) ?? lives[0];
  return { epoch: own?.epoch ?? '', seq: id - (own?.afterId ?? 0) };
}

/**
 * Where somebody goes on who had everything up to `afterId` when that life was the last one: further back, if the ledger
 * was put back behind it. null: it is another ledger.
 */
export function placeIn(lives: readonly LedgerLife[], epoch: string, afterId: number): number | null {
  const at = lives.findIndex((life) => life.epoch === epoch);
  if (at < 0) return null;
  return Math.min(afterId, lives[at + 1]?.afterId ?? afterId);
}
