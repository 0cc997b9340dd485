/**
 * The rules at work: one tclsh with its TMMs, what is loaded into it, and the connections that fire events. An engine
 * lives as long as its tclsh; when that dies every event of it is answered with a reset, and somebody starts another.
 */
import { EdgewardError } from '@edgeward/runtime';
import type { LoadedRule } from '../irule/loaded-rule.ts';
import { type Action, failed, nothing, type Outcome, outcomeOf } from './outcome.ts';
import { createQueue } from './queue.ts';
import type { HandlerOutcome, RuleStat, RuleStats } from './rule-stats.ts';
import { startTclProcess } from './tcl-process.ts';
import { bytesOf, tclLine, textOf, type Word } from './tcl-words.ts';
import { expressionFunctions, tclProgram } from './tclsh.ts';

export interface EngineOptions {
  tclsh: string;
  tmms: number;
  hostname: string;
  stats: RuleStats;
  onLog(unit: number, level: string, text: string): void;
  onHsl(kind: string, path: string, data: Buffer): void;
  onHslLost(kind: string, path: string): void;
  onClassLookups(count: number): void;
  onEnd(reason: string): void;
}

/** What a rule may ask of its connection, by the names that tcl/ uses. */
export type Facts = Record<string, Word>;

export interface Engine {
  readonly pid: number | undefined;
  send(...words: Word[]): void;
  /** Waits while the pipe is full. */
  drained(): Promise<void>;
  /** Whatever was sent before is in force. */
  ping(): Promise<void>;
  load(rule: LoadedRule): RuleVersion;
  chain(virtual: string, profiles: readonly string[], rules: readonly RuleVersion[]): Chain;
  close(): Promise<void>;
}

/** A rule as it was loaded once. It stays loaded while a chain holds it. */
export interface RuleVersion {
  readonly rule: LoadedRule;
  readonly number: number;
  /** The rule is another by now, or gone. */
  retire(): void;
  hold(): void;
  letGo(): void;
}

/** The rules of a virtual server, as the connections that begin now will run them. */
export interface Chain {
  readonly virtual: string;
  handles(event: string): boolean;
  readonly handlesAny: boolean;
  open(unit: number, facts: Facts): EventSource;
  /** No new connections; those that are open keep it. */
  retire(): void;
}

/** One connection, as the rules see it. */
export interface EventSource {
  handles(event: string): boolean;
  fire(event: string, facts?: Facts): Promise<Outcome>;
  close(): void;
}

interface Waiting {
  handlers: readonly RuleStat[];
  resolve(outcome: Outcome): void;
}

interface Handlers {
  stats: RuleStat[];
  words: number[];
}

export async function startEngine(options: EngineOptions): Promise<Engine> {
  const { stats, tmms } = options;
  const waiting = createQueue<Waiting>();
  const pings = new Map<string, () => void>();
  const versions = new Map<number, LoadedRule>();
  let next = 0;
  let dead = false;
  let started: (reason: string | null) => void = () => {};
  const start = new Promise<string | null>((resolve) => {
    started = resolve;
  });

  const frames: Record<string, (fields: string[]) => void> = {
    started: () => started(null),
    done([_name, _id, ran, outcome, classes, ...rest]) {
      options.onClassLookups(Number(classes));
      const waited = waiting.take();
      countRun(stats, waited?.handlers ?? [], Number(ran), outcome as HandlerOutcome);
      waited?.resolve(outcome === 'ok' ? outcomeOf(actionsOf(rest)) : failed());
    },
    initialized([_name, version, _unit, ran, outcome]) {
      const rule = versions.get(Number(version));
      if (rule === undefined) return;
      const handlers = inOrder(rule, 'RULE_INIT').map(({ priority }) => stats.of(rule.fullPath, 'RULE_INIT', priority));
      countRun(stats, handlers, Number(ran), outcome as HandlerOutcome);
    },
    log: ([_name, unit, level = 'info', text = '']) => options.onLog(Number(unit), level, textOf(text)),
    hsl: ([_name, kind = '', path = '', data = '']) => options.onHsl(kind, textOf(path), Buffer.from(data, 'latin1')),
    'hsl-lost': ([_name, kind = '', path = '']) => options.onHslLost(kind, textOf(path)),
    pong([_name, token = '']) {
      pings.get(token)?.();
      pings.delete(token);
    },
  };
  const tcl = startTclProcess({
    tclsh: options.tclsh,
    program: `${tclProgram()}\n::tmm::serve\n`,
    onFrame: (fields) => frames[fields[0] ?? '']?.(fields),
    onEnd(reason) {
      dead = true;
      started(reason);
      for (const wake of pings.values()) wake();
      for (let waited = waiting.take(); waited !== undefined; waited = waiting.take()) waited.resolve(failed());
      options.onEnd(reason);
    },
  });
  const send = (...words: Word[]): void => {
    if (!dead) tcl.write(tclLine(words));
  };

  send('start', tmms, expressionFunctions(), bytesOf(options.hostname));
  const problem = await start;
  if (problem !== null) throw tclshFailed(options.tclsh, problem);

  const load = (rule: LoadedRule): RuleVersion => {
    const number = ++next;
    versions.set(number, rule);
    stats.loaded(rule);
    send('rule', number, bytesOf(rule.fullPath), handlerWords(rule), procWords(rule));
    let holders = 0;
    let retired = false;
    const unload = (): void => {
      if (!retired || holders > 0) return;
      versions.delete(number);
      send('unrule', number);
    };
    return {
      rule,
      number,
      retire() {
        retired = true;
        unload();
      },
      hold: () => void holders++,
      letGo() {
        holders--;
        unload();
      },
    };
  };

  const chain = (virtual: string, profiles: readonly string[], rules: readonly RuleVersion[]): Chain => {
    const id = ++next;
    const events = eventsOf(rules, stats);
    const handles = (event: string): boolean => events.has(event);
    let open = 0;
    let retired = false;
    for (const rule of rules) rule.hold();
    const words = [...events].flatMap(([event, handlers]) => [event, handlers.words]);
    send('chain', id, bytesOf(virtual), ['profiles', profiles.map(bytesOf)], words);
    const unload = (): void => {
      if (!retired || open > 0) return;
      send('unchain', id);
      for (const rule of rules) rule.letGo();
    };
    return {
      virtual,
      handles,
      handlesAny: events.size > 0,
      retire() {
        retired = true;
        unload();
      },
      open(unit, facts) {
        const connection = ++next;
        let closed = false;
        open++;
        send('open', connection, unit % tmms, id, Object.entries(facts).flat());
        return {
          handles,
          fire(event, said = {}) {
            const handlers = events.get(event);
            if (dead || closed) return Promise.resolve(failed());
            if (handlers === undefined) return Promise.resolve(nothing());
            return new Promise((resolve) => {
              waiting.add({ handlers: handlers.stats, resolve });
              send('fire', connection, event, Object.entries(said).flat());
            });
          },
          close() {
            if (closed) return;
            closed = true;
            open--;
            send('close', connection);
            unload();
          },
        };
      },
    };
  };

  return {
    pid: tcl.pid,
    send,
    drained: () => tcl.drained(),
    ping() {
      if (dead) return Promise.resolve();
      const token = String(++next);
      return new Promise((resolve) => {
        pings.set(token, resolve);
        send('ping', token);
      });
    },
    load,
    chain,
    close: () => tcl.close(),
  };
}

/** RULE_INIT aside: that is the engine's own affair when a rule is loaded. */
function eventsOf(rules: readonly RuleVersion[], stats: RuleStats): Map<string, Handlers> {
  const found = rules.flatMap(({ rule, number }) =>
    rule.handlers.map(({ event, priority }, index) => ({ rule: rule.fullPath, number, event, priority, index })),
  );
  const events = new Map<string, Handlers>();
  for (const handler of found.sort((a, b) => a.priority - b.priority)) {
    if (handler.event === 'RULE_INIT') continue;
    const handlers = events.get(handler.event) ?? { stats: [], words: [] };
    handlers.stats.push(stats.of(handler.rule, handler.event, handler.priority));
    handlers.words.push(handler.number, handler.index);
    events.set(handler.event, handlers);
  }
  return events;
}

function countRun(stats: RuleStats, handlers: readonly RuleStat[], ran: number, outcome: HandlerOutcome): void {
  handlers.slice(0, ran).forEach((handler, index) => {
    stats.count(handler, index === ran - 1 ? outcome : 'ok');
  });
}

function actionsOf(fields: readonly string[]): Action[] {
  const actions: Action[] = [];
  for (let at = 0; at < fields.length; ) {
    const count = Number(fields[at + 1]);
    actions.push({ name: fields[at] ?? '', args: fields.slice(at + 2, at + 2 + count) });
    at += 2 + count;
  }
  return actions;
}

const inOrder = (rule: LoadedRule, event: string): LoadedRule['handlers'] =>
  rule.handlers.filter((handler) => handler.event === event).sort((a, b) => a.priority - b.priority);

const handlerWords = ({ handlers }: LoadedRule): Word[] =>
  handlers.flatMap(({ event, priority, body }) => [event, priority, bytesOf(body)]);

const procWords = ({ procs }: LoadedRule): Word[] =>
  procs.flatMap(({ name, parameters, body }) => [bytesOf(name), bytesOf(parameters), bytesOf(body)]);

function tclshFailed(tclsh: string, reason: string): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_TCLSH_FAILED',
    `starting the data plane of a simulated BIG-IP with ${tclsh}: ${reason}`,
    {
      mend: 'Run the program by hand: it must be a working Tcl 8.6. On Debian: apt-get install tcl.',
    },
  );
}
