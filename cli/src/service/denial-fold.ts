/**
 * Keeps a flood of equal denials readable: the first one is shown at once, and while its line is still on the screen the
 * ones equal to it are counted and shown as one line. Every denial given is in exactly one line shown, sooner or later;
 * `rest` gives what is still being counted.
 */
import { type ShownDenial, shownAlone } from './denial-line.ts';
import type { Denial } from './service-answers.ts';

export interface DenialFold {
  add(denials: readonly Denial[], nowMs: number): ShownDenial[];
  /** What has been counted for long enough. */
  due(nowMs: number): ShownDenial[];
  rest(): ShownDenial[];
}

interface Counting extends ShownDenial {
  sinceMs: number;
}

export function createDenialFold(rows: number, holdMs: number): DenialFold {
  /** Keys of the lines on the screen, oldest first. */
  let screen: string[] = [];
  const counting = new Map<string, Counting>();

  function show(key: string, shown: ShownDenial): ShownDenial {
    screen = [...screen, key].slice(-Math.max(1, rows));
    return shown;
  }

  function addOne(denial: Denial, nowMs: number): ShownDenial[] {
    const key = keyOf(denial);
    const known = counting.get(key);
    if (known !== undefined) {
      known.denial = denial;
      known.count += denial.count;
      return [];
    }
    if (!screen.includes(key)) return [show(key, shownAlone(denial))];
    counting.set(key, { denial, count: denial.count, since: denial.windowStart, sinceMs: nowMs });
    return [];
  }

  function take(wanted: (counted: Counting, key: string) => boolean): ShownDenial[] {
    return [...counting].flatMap(([key, counted]) => {
      if (!wanted(counted, key)) return [];
      counting.delete(key);
      const { denial, count, since } = counted;
      return [show(key, count > denial.count ? { denial, count, since } : shownAlone(denial))];
    });
  }

  return {
    add: (denials, nowMs) => denials.flatMap((denial) => addOne(denial, nowMs)),
    due: (nowMs) => take(({ sinceMs }, key) => nowMs - sinceMs >= holdMs || !screen.includes(key)),
    rest: () => take(() => true),
  };
}

/** Equal for a reader: all that the line says but its time, its reference and its count. */
function keyOf(it: Denial): string {
  const ends = [it.point, it.source, it.sourceWorkloads, it.sourceNetworks, it.sourceLabels, it.object, it.port];
  const request = [it.method, it.path, it.host, it.peer];
  return JSON.stringify([it.verdict, ends, request, it.reason, it.rule, it.revision, it.nearestRule, it.missed]);
}
