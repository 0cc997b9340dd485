/** TMM as it runs at present: an engine, and the configuration that was brought into it. It ends with its tclsh. */
import type { LoadRule } from '../irule/loaded-rule.ts';
import type { Balancing } from './balancing.ts';
import type { Objects, Task } from './configuration-tasks.ts';
import { createDataGroups } from './data-groups.ts';
import { type EngineOptions, startEngine } from './engine.ts';
import type { Hsl } from './hsl.ts';
import type { Service } from './listeners.ts';
import { createRuleSet } from './rule-set.ts';
import { bytesOf, type Word } from './tcl-words.ts';

export interface Tmm {
  readonly dead: boolean;
  /** Virtual servers with their rules, when the task concerned them. Nobody should connect before it settles. */
  apply(task: Task): Promise<Map<string, Service> | null>;
  /** Whether HSL::send finds room on the way to this target. */
  setFull(kind: string, path: string, full: boolean): void;
  ping(): Promise<void>;
  close(): Promise<void>;
}

export interface TmmOptions extends EngineOptions {
  loadRule: LoadRule;
  balancing: Balancing;
  hsl: Hsl;
}

/** Throws EDW_ERR_TCLSH_FAILED. */
export async function startTmm(options: TmmOptions): Promise<Tmm> {
  const { balancing, hsl, loadRule, stats, onLog } = options;
  const engine = await startEngine(options);
  const { session } = engine;
  const groups = createDataGroups(session);
  const ruleSet = createRuleSet({ engine, loadRule, stats, onRefused: (message) => onLog(0, 'err', message) });

  const names = ({ pools, virtuals, publishers }: Objects): void => {
    const members = (pool: string): Word =>
      (balancing.members(pool) ?? []).map(({ address, port }) => [bytesOf(address), port]);
    session.send(
      'names',
      'pool',
      pools.flatMap(({ fullPath }) => [bytesOf(fullPath), members(fullPath)]),
    );
    session.send('names', 'publisher', namesOnly([...publishers.keys()]));
    session.send('names', 'virtual', namesOnly(virtuals.map(({ fullPath }) => fullPath)));
  };
  return {
    get dead() {
      return session.dead;
    },
    async apply(task) {
      if (task.do === 'group') {
        await groups.load(task.state);
        return null;
      }
      const { pools, nodes, publishers, rules, virtuals } = task.objects;
      balancing.configure(pools, nodes);
      hsl.configure(publishers);
      names(task.objects);
      const services = ruleSet.apply(rules, virtuals);
      await session.ping();
      return services;
    },
    setFull: (kind, path, full) => session.send('full', kind, bytesOf(path), full ? 1 : 0),
    ping: session.ping,
    close: session.close,
  };
}

/** Each with a word that says nothing. */
const namesOnly = (paths: readonly string[]): Word[] => paths.flatMap((path) => [bytesOf(path), 1]);
