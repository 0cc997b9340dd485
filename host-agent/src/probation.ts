/**
 * The dead-man's handle: after rules changed, the service has to be reached over a new connection within a minute, or what
 * changed goes back. It counts time as it passes, whatever is done to the clock. It says when, and does nothing itself.
 */
import { type Clock, messageOf, pauseFor } from '@edgeward/runtime';

export interface ProbationOptions {
  clock: Clock;
  /** Reaches the service over a connection that was not there before; throws where it can't. */
  reach: () => Promise<void>;
  /** The service was reached. */
  onPassed: () => Promise<void>;
  /** It was not, and why not. */
  onFailed: (why: string) => Promise<void>;
}

const PROBATION_MS = 60_000;
const TRY_AGAIN_MS = 3_000;

/** The answer ends it without either. */
export function startProbation({ clock, reach, onPassed, onFailed }: ProbationOptions): () => void {
  const state = { over: false };
  let why = 'it was not reached';
  let pause = pauseFor(clock, 0);
  const cancel = clock.after(PROBATION_MS, () => {
    if (state.over) return;
    end();
    void onFailed(why);
  });

  function end(): void {
    state.over = true;
    cancel();
    pause.end();
  }

  async function tryAgain(): Promise<void> {
    while (!state.over) {
      const reached = await reach().then(
        () => true,
        (thrown: unknown) => {
          why = messageOf(thrown);
          return false;
        },
      );
      if (state.over) return;
      if (reached) {
        end();
        return onPassed();
      }
      pause = pauseFor(clock, TRY_AGAIN_MS);
      await pause.over;
    }
  }

  void tryAgain();
  return end;
}
