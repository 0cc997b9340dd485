/**
 * A conversation with one tclsh: events go in, outcomes come back in the same order. When tclsh ends, whatever waits is
 * answered with a reset, and nothing more is sent.
 */
import { type Action, failed, type Outcome, outcomeOf } from './outcome.ts';
import { createQueue } from './queue.ts';
import type { HandlerOutcome } from './rule-stats.ts';
import { startTclProcess } from './tcl-process.ts';
import { tclLine, textOf, type Word } from './tcl-words.ts';
import { type Tclsh, tclProgram } from './tclsh.ts';

/** What a rule may ask of its connection, by the names that tcl/ uses. */
export type Facts = Record<string, Word>;

/** How many handlers ran, and what became of the last of them. */
interface Run {
  handlers: number;
  outcome: HandlerOutcome;
}

export interface TclSession {
  readonly pid: number | undefined;
  readonly dead: boolean;
  send(...words: Word[]): void;
  fire(connection: number, event: string, facts: Facts, onRun: (run: Run) => void): Promise<Outcome>;
  /** Waits while the pipe is full. */
  drained(): Promise<void>;
  /** Whatever was sent before is in force. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export interface SessionEvents {
  onLog(unit: number, level: string, text: string): void;
  /** HSL::send: `publisher`, `tcp` or `udp`, and the full path of the publisher or the pool. */
  onHsl(kind: string, path: string, data: Buffer): void;
  /** `class` commands since tclsh started. */
  onClassLookups(count: number): void;
  /** RULE_INIT of a rule version ran in a TMM. */
  onInitialized(version: number, run: Run): void;
  onEnd(reason: string): void;
}

interface Waiting {
  onRun(run: Run): void;
  resolve(outcome: Outcome): void;
}

export function openTclSession(tclsh: Tclsh, events: SessionEvents): TclSession {
  const waiting = createQueue<Waiting>();
  const pings = createQueue<() => void>();
  let dead = false;
  const frames: Record<string, (fields: string[]) => void> = {
    done([, , handlers, outcome, lookups, ...actions]) {
      events.onClassLookups(Number(lookups));
      const waited = waiting.take();
      waited?.onRun({ handlers: Number(handlers), outcome: outcome as HandlerOutcome });
      waited?.resolve(outcome === 'ok' ? outcomeOf(actionsOf(actions)) : failed());
    },
    initialized: ([, version, , handlers, outcome]) =>
      events.onInitialized(Number(version), { handlers: Number(handlers), outcome: outcome as HandlerOutcome }),
    log: ([, unit, level = 'info', text = '']) => events.onLog(Number(unit), level, textOf(text)),
    hsl: ([, kind = '', path = '', data = '']) => events.onHsl(kind, textOf(path), Buffer.from(data, 'latin1')),
    pong: () => pings.take()?.(),
  };
  const tcl = startTclProcess({
    tclsh,
    program: `${tclProgram()}\n::tmm::serve\n`,
    onFrame: (fields) => frames[fields[0] ?? '']?.(fields),
    onEnd(reason) {
      dead = true;
      for (let wake = pings.take(); wake !== undefined; wake = pings.take()) wake();
      for (let waited = waiting.take(); waited !== undefined; waited = waiting.take()) waited.resolve(failed());
      events.onEnd(reason);
    },
  });
  const send = (...words: Word[]): void => {
    if (!dead) tcl.write(tclLine(words));
  };
  return {
    pid: tcl.pid,
    get dead() {
      return dead;
    },
    send,
    fire(connection, event, facts, onRun) {
      if (dead) return Promise.resolve(failed());
      return new Promise((resolve) => {
        waiting.add({ onRun, resolve });
        send('fire', connection, event, Object.entries(facts).flat());
      });
    },
    drained: tcl.drained,
    ping() {
      if (dead) return Promise.resolve();
      return new Promise((resolve) => {
        pings.add(resolve);
        send('ping');
      });
    },
    close: tcl.close,
  };
}

/** Each is its name, the number of its arguments, and those. */
function actionsOf(fields: readonly string[]): Action[] {
  const actions: Action[] = [];
  for (let at = 0; at < fields.length; ) {
    const count = Number(fields[at + 1]);
    actions.push({ name: fields[at] ?? '', args: fields.slice(at + 2, at + 2 + count) });
    at += 2 + count;
  }
  return actions;
}
