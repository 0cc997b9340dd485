/**
 * How often repairs may follow each other. Somebody who undoes each of them, such as another agent with rules of its own, would
 * else be fought at the cost of both. Pure but for what it remembers; time comes in.
 */
export interface RepairPace {
  /** 0 where a repair may be made now. */
  dueInMs(nowMs: number): number;
  repaired(nowMs: number): void;
  /** Nothing was found changed. */
  foundWhole(nowMs: number): void;
  contended(): boolean;
}

const MANY = 5;
const WINDOW_MS = 60_000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;

export function createRepairPace(): RepairPace {
  let recent: number[] = [];
  let pauseMs = 0;
  const within = (nowMs: number): number[] => recent.filter((atMs) => nowMs - atMs < WINDOW_MS && atMs <= nowMs);
  return {
    // A clock that was set back makes nobody wait for longer than a pause.
    dueInMs: (nowMs) => Math.min(pauseMs, Math.max(0, (recent.at(-1) ?? 0) + pauseMs - nowMs)),
    repaired: (nowMs) => {
      recent = [...within(nowMs), nowMs];
      if (pauseMs > 0) pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
      else if (recent.length >= MANY) pauseMs = FIRST_PAUSE_MS;
    },
    foundWhole: (nowMs) => {
      if (within(nowMs).length === 0) pauseMs = 0;
    },
    contended: () => pauseMs > 0,
  };
}
