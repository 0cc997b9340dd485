/** How often each handler ran, failed with a Tcl error, or was cut off: what `ltm/rule/stats` shows. */
import type { LoadedRule } from '../irule/loaded-rule.ts';

export interface RuleStat {
  rule: string;
  event: string;
  priority: number;
  executions: number;
  failures: number;
  aborts: number;
}

export type HandlerOutcome = 'ok' | 'failed' | 'aborted';

export interface RuleStats {
  /** The handlers that a rule has now; what was counted of those that stay is kept. */
  loaded(rule: LoadedRule): void;
  removed(rule: string): void;
  /** The handlers of an event, in order, as far as they ran. */
  count(handlers: readonly RuleStat[], run: { handlers: number; outcome: HandlerOutcome }): void;
  of(rule: string, event: string, priority: number): RuleStat;
  list(): RuleStat[];
}

export function createRuleStats(): RuleStats {
  const rules = new Map<string, Map<string, RuleStat>>();
  const of = (rule: string, event: string, priority: number): RuleStat => {
    const stats = rules.get(rule) ?? new Map<string, RuleStat>();
    rules.set(rule, stats);
    const key = `${event} ${priority}`;
    const stat = stats.get(key) ?? { rule, event, priority, executions: 0, failures: 0, aborts: 0 };
    stats.set(key, stat);
    return stat;
  };
  return {
    of,
    loaded({ fullPath, handlers }) {
      const known = new Set(handlers.map(({ event, priority }) => `${event} ${priority}`));
      for (const { event, priority } of handlers) of(fullPath, event, priority);
      for (const key of rules.get(fullPath)?.keys() ?? []) if (!known.has(key)) rules.get(fullPath)?.delete(key);
    },
    removed: (rule) => void rules.delete(rule),
    count(handlers, run) {
      const ran = handlers.slice(0, run.handlers);
      for (const stat of ran) stat.executions++;
      const last = ran.at(-1);
      if (last === undefined) return;
      if (run.outcome === 'failed') last.failures++;
      if (run.outcome === 'aborted') last.aborts++;
    },
    list: () => [...rules.values()].flatMap((stats) => [...stats.values()].map((stat) => ({ ...stat }))),
  };
}
