/** A rule as it was loaded once. It stays in tclsh as long as connections may still run it. */
import type { Handler, LoadedRule } from '../irule/loaded-rule.ts';
import type { TclSession } from './tcl-session.ts';
import { bytesOf, type Word } from './tcl-words.ts';

export interface RuleVersion {
  readonly number: number;
  readonly rule: LoadedRule;
  /** The rule is another by now, or gone: this version goes when nobody holds it. */
  retire(): void;
  hold(): void;
  letGo(): void;
}

export function loadRuleVersion(session: TclSession, number: number, rule: LoadedRule): RuleVersion {
  let holders = 0;
  let retired = false;
  const unload = (): void => {
    if (retired && holders === 0) session.send('unrule', number);
  };
  session.send('rule', number, bytesOf(rule.fullPath), handlerWords(rule), procWords(rule));
  return {
    number,
    rule,
    retire() {
      if (retired) return;
      retired = true;
      unload();
    },
    hold: () => void holders++,
    letGo() {
      holders--;
      unload();
    },
  };
}

/** Lowest priority first; equal ones in the order of the text. */
export function handlersOf({ handlers }: LoadedRule, event: string): Handler[] {
  return handlers.filter((handler) => handler.event === event).sort((a, b) => a.priority - b.priority);
}

const handlerWords = ({ handlers }: LoadedRule): Word[] =>
  handlers.flatMap(({ event, priority, body }) => [event, priority, bytesOf(body)]);

const procWords = ({ procs }: LoadedRule): Word[] =>
  procs.flatMap(({ name, parameters, body }) => [bytesOf(name), bytesOf(parameters), bytesOf(body)]);
