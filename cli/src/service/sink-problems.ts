import { formatDuration } from '../frame/duration.ts';
import type { ShownSink } from './service-answers.ts';

/** What is wrong with a sink, in one line of it. Nothing is lost by it: the ledger has everything. */

export interface SinkProblem {
  tone: 'warning';
  what: string;
  mend: string;
}

const SLOW_MEND = 'Look at its load and its limits. The events wait in the ledger, as long as its retention lets them.';

export function sinkProblems(sinks: readonly ShownSink[]): SinkProblem[] {
  return sinks.flatMap(({ name, state, lagEvents, lagSeconds, error }) => {
    if (state === 'current') return [];
    const waiting = lagEvents === 0 ? [] : [waitingText(lagEvents, lagSeconds)];
    const wrong = error === null ? [] : [`${error.code}  ${error.message}`];
    const what = `sink ${name}  ${[...wrong, ...waiting].join('; ')}`;
    return [{ tone: 'warning', what, mend: error?.mend ?? SLOW_MEND }];
  });
}

function waitingText(events: number, seconds: number): string {
  const who = events === 1 ? '1 event waits' : `${events.toLocaleString('en')} events wait`;
  return `${who} for it, the oldest for ${formatDuration(seconds * 1000)}`;
}
