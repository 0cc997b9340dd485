/**
 * The rules of a virtual server as those connections run them that begin now: handlers by priority, then in the order in
 * which the rules are attached. A connection keeps its chain when the virtual server or a rule changes.
 */
import { nothing, type Outcome } from './outcome.ts';
import type { RuleStat, RuleStats } from './rule-stats.ts';
import type { RuleVersion } from './rule-version.ts';
import type { Facts, TclSession } from './tcl-session.ts';
import { bytesOf } from './tcl-words.ts';

export interface Chain {
  readonly handlesAny: boolean;
  /** The client's port says which TMM has the connection. */
  open(clientPort: number, facts: Facts): EventSource;
  /** No new connections; those that are open keep it. */
  retire(): void;
}

/** One connection, as the rules see it. */
export interface EventSource {
  handles(event: string): boolean;
  fire(event: string, facts?: Facts): Promise<Outcome>;
  close(): void;
}

export interface ChainOptions {
  session: TclSession;
  stats: RuleStats;
  tmms: number;
  /** A number that was never used in this session. */
  nextNumber(): number;
  virtual: string;
  profiles: readonly string[];
  rules: readonly RuleVersion[];
}

interface Handlers {
  stats: RuleStat[];
  /** Version and place of each handler, in turn. */
  words: number[];
}

export function createChain(options: ChainOptions): Chain {
  const { session, stats, nextNumber, virtual, profiles, rules } = options;
  const number = nextNumber();
  const events = eventsOf(rules, stats);
  let open = 0;
  let retired = false;
  for (const rule of rules) rule.hold();
  const words = [...events].flatMap(([event, handlers]) => [event, handlers.words]);
  session.send('chain', number, bytesOf(virtual), ['profiles', profiles.map(bytesOf)], words);
  const unload = (): void => {
    if (!retired || open > 0) return;
    session.send('unchain', number);
    for (const rule of rules) rule.letGo();
  };
  const opened = (clientPort: number, facts: Facts): EventSource => {
    const connection = nextNumber();
    let closed = false;
    // Of events that no rule handles: a later one may ask for them, as HTTP_RESPONSE does for the request.
    let unsaid: Facts = {};
    // Neighbouring ports, and even ones alone, reach all TMMs.
    const unit = (Math.imul(clientPort, 0x85ebca6b) >>> 13) % options.tmms;
    session.send('open', connection, unit, number, Object.entries(facts).flat());
    return {
      handles: (event) => events.has(event),
      fire(event, said = {}) {
        const handlers = events.get(event);
        const facts = { ...unsaid, ...said };
        unsaid = handlers === undefined ? facts : {};
        if (closed || handlers === undefined) return Promise.resolve(nothing());
        return session.fire(connection, event, facts, (run) => stats.count(handlers.stats, run));
      },
      close() {
        if (closed) return;
        closed = true;
        open--;
        session.send('close', connection);
        unload();
      },
    };
  };
  return {
    handlesAny: events.size > 0,
    open(clientPort, facts) {
      open++;
      return opened(clientPort, facts);
    },
    retire() {
      if (retired) return;
      retired = true;
      unload();
    },
  };
}

/** RULE_INIT aside: that runs when a rule is loaded, on no connection. */
function eventsOf(rules: readonly RuleVersion[], stats: RuleStats): Map<string, Handlers> {
  const found = rules.flatMap(({ rule, number }) =>
    rule.handlers.map(({ event, priority }, index) => ({ rule: rule.fullPath, number, event, priority, index })),
  );
  const events = new Map<string, Handlers>();
  for (const { rule, number, event, priority, index } of found.sort((a, b) => a.priority - b.priority)) {
    if (event === 'RULE_INIT') continue;
    const handlers = events.get(event) ?? { stats: [], words: [] };
    handlers.stats.push(stats.of(rule, event, priority));
    handlers.words.push(number, index);
    events.set(event, handlers);
  }
  return events;
}
