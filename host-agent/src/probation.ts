/**
 * The dead-man's handle: after rules changed, the service has to answer over a new connection within a minute, or what changed
 * goes back. The minute runs from the first change that is not confirmed, so that changes in a row put nothing off; whoever
 * answered before the last of them says nothing of it. It counts time as it passes, whatever is done to the clock. It says when,
 * and does nothing itself.
 */
import { type Clock, EdgewardError, messageOf, pauseFor } from '@edgeward/runtime';
import type { PolicyRef } from './agent-state.ts';

export interface Probation {
  /** This stands from now on, and is to be confirmed. */
  begin(ref: PolicyRef): void;
  /** Nothing is to be confirmed any more. */
  end(): void;
}

export interface ProbationOptions {
  clock: Clock;
  /** Reaches the service over a connection that was not there before; throws where it can't. */
  reach: () => Promise<void>;
  /** The service was reached under this one. */
  onPassed: (ref: PolicyRef) => Promise<void>;
  /** It was not, and why not. */
  onFailed: (why: string) => Promise<void>;
}

const PROBATION_MS = 60_000;
const TRY_AGAIN_MS = 3_000;

export function createProbation({ clock, reach, onPassed, onFailed }: ProbationOptions): Probation {
  let cancel: (() => void) | null = null;
  let pause = pauseFor(clock, 0);
  let why = '';
  /** Of the change that is tried: whoever tries an earlier one gives up. */
  let turn = 0;

  function end(): void {
    turn += 1;
    cancel?.();
    cancel = null;
    pause.end();
  }

  async function isReached(): Promise<boolean> {
    try {
      await reach();
      return true;
    } catch (thrown) {
      why = messageOf(thrown);
      return isAnswer(thrown);
    }
  }

  async function tryAgain(ref: PolicyRef): Promise<void> {
    const mine = turn;
    while (mine === turn) {
      const reached = await isReached();
      if (mine !== turn) return;
      if (reached) {
        end();
        return onPassed(ref);
      }
      pause = pauseFor(clock, TRY_AGAIN_MS);
      await pause.over;
    }
  }

  return {
    begin(ref) {
      turn += 1;
      pause.end();
      if (cancel === null) {
        why = 'it was not reached';
        cancel = clock.after(PROBATION_MS, () => {
          end();
          void onFailed(why);
        });
      }
      void tryAgain(ref);
    },
    end,
  };
}

/** Whoever answers is there, also where the answer is no: that it is busy, or knows no such host. */
function isAnswer(thrown: unknown): boolean {
  return thrown instanceof EdgewardError && thrown.code !== 'EDW_ERR_SERVICE_UNREACHABLE';
}
