/**
 * The data plane of one unit: virtual servers that really listen, iRules that really run, pool members really asked. What
 * the configuration says is brought into force in the order in which it was written. When tclsh dies that is a restart of
 * TMM: every connection is reset, and a new one is given the whole configuration.
 */
import type { Logger } from '@edgeward/runtime';
import type { BoxConfig, ConfigObject, Kind } from '../config/box-config.ts';
import type { LoadRule } from '../irule/loaded-rule.ts';
import { createBalancing } from './balancing.ts';
import {
  createDataGroups,
  type DataGroups,
  type GroupState,
  groupState,
  groupsOfFile,
  isGroup,
} from './data-groups.ts';
import { type Engine, startEngine } from './engine.ts';
import { createHsl } from './hsl.ts';
import { createListeners, type Service } from './listeners.ts';
import { createLtmLog } from './ltm-log.ts';
import { createRuleSet, type RuleSet } from './rule-set.ts';
import { createRuleStats, type RuleStat } from './rule-stats.ts';
import { bytesOf } from './tcl-words.ts';
import { findTclsh } from './tclsh.ts';
import { type VirtualServer, virtualServer } from './virtual-server.ts';

export interface DataPlaneOptions {
  config: BoxConfig;
  loadRule: LoadRule;
  /** A path, or a name on PATH. */
  tclsh: string;
  tmms: number;
  preface: boolean;
  hostname: string;
  logger: Logger;
}

export interface DataPlane {
  /** Settles when what the configuration says now is in force in every TMM and every listener. */
  settled(): Promise<void>;
  listener(virtual: string): { host: string; port: number } | null;
  /** For ltm/rule/stats. */
  ruleStats(): RuleStat[];
  /** Lines of /var/log/ltm. */
  log(): string[];
  classLookups(): Promise<number>;
  /** A standby takes no connections. */
  setActive(active: boolean): Promise<void>;
  /** Fault: external groups keep their old content until the group itself is written. */
  setExternalStale(stale: boolean): void;
  close(): Promise<void>;
}

/** All but data groups, as it was when it was written. */
interface Objects {
  rules: ConfigObject[];
  virtuals: ConfigObject[];
  pools: ConfigObject[];
  nodes: ConfigObject[];
}

type Task = { do: 'group'; state: GroupState } | { do: 'objects'; objects: Objects };

/** One tclsh and what was loaded into it. */
interface Unit {
  engine: Engine;
  groups: DataGroups;
  rules: RuleSet;
}

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2000;

/** Throws EDW_ERR_TCLSH_NOT_FOUND and EDW_ERR_TCLSH_FAILED. */
export async function startDataPlane(options: DataPlaneOptions): Promise<DataPlane> {
  const { config, loadRule, tmms, preface, hostname, logger } = options;
  const tclsh = findTclsh(options.tclsh);
  const ltm = createLtmLog(hostname);
  const stats = createRuleStats();
  const balancing = createBalancing();
  const hsl = createHsl({
    balancing,
    onFull: (kind, path, full) => unit?.engine.send('full', kind, bytesOf(path), full ? 1 : 0),
  });
  const listeners = createListeners({
    balancing,
    preface,
    listener: (virtual) => listeners.at(virtual),
    log: (level, text) => ltm.write(0, level, text),
  });
  const tasks: Task[] = [];
  let unit: Unit | null = null;
  let services = new Map<string, Service>();
  let active = true;
  let stale = false;
  let closed = false;
  let lookups = 0;
  let lookupsBefore = 0;
  let retryMs = FIRST_RETRY_MS;
  let working: Promise<void> = Promise.resolve();

  const start = async (): Promise<Unit> => {
    const engine = await startEngine({
      tclsh,
      tmms,
      hostname,
      stats,
      onLog: ltm.write,
      onHsl: hsl.send,
      onHslLost: () => {},
      onClassLookups: (count) => {
        lookups = lookupsBefore + count;
      },
      onEnd: (reason) => onEnd(reason),
    });
    const onRefused = (_rule: string, message: string): void => ltm.write(0, 'err', message);
    return { engine, groups: createDataGroups(engine), rules: createRuleSet({ engine, loadRule, stats, onRefused }) };
  };

  const onEnd = (reason: string): void => {
    if (closed || unit === null) return;
    unit = null;
    lookupsBefore = lookups;
    logger.warn({ event: 'tmm_ended', hostname, reason }, 'tclsh ended: TMM restarts');
    ltm.write(0, 'emerg', `simulator: TMM restarts: ${reason.split('\n')[0]}`);
    services = new Map([...services].map(([name, { virtual }]) => [name, { virtual, chain: null }]));
    listeners.resetAll();
    tasks.length = 0;
    schedule(async () => {
      await listeners.apply(active ? services : new Map());
      await restart();
    });
  };
  const restart = async (): Promise<void> => {
    while (unit === null && !closed) {
      await new Promise((resolve) => setTimeout(resolve, retryMs));
      retryMs = Math.min(LAST_RETRY_MS, retryMs * 2);
      if (closed) return;
      unit = await start().catch((error: unknown) => {
        logger.error({ event: 'tmm_restart_failed', hostname, error }, 'tclsh did not start');
        return null;
      });
    }
    tasks.length = 0;
    tasks.push(...everything(config));
    await work();
    retryMs = FIRST_RETRY_MS;
  };

  const work = async (): Promise<void> => {
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
      if (unit === null || closed) return;
      if (task.do === 'group') await unit.groups.load(task.state);
      else await applyObjects(unit, task.objects);
    }
  };
  const schedule = (step: () => Promise<void>): void => {
    working = working.then(step).catch((error: unknown) => {
      logger.error({ event: 'tmm_apply_failed', hostname, error }, 'the configuration could not be applied');
    });
  };
  const applyObjects = async ({ engine, rules }: Unit, objects: Objects): Promise<void> => {
    const { pools, nodes } = objects;
    balancing.configure(pools, nodes);
    const memberWords = (pool: string) =>
      (balancing.members(pool) ?? []).map(({ address, port }) => [bytesOf(address), port]);
    engine.send(
      'names',
      'pool',
      pools.flatMap(({ fullPath }) => [bytesOf(fullPath), memberWords(fullPath)]),
    );
    engine.send(
      'names',
      'publisher',
      hsl.configure(config).flatMap((name) => [bytesOf(name), 1]),
    );
    engine.send(
      'names',
      'virtual',
      objects.virtuals.flatMap(({ fullPath }) => [bytesOf(fullPath), 1]),
    );
    const virtuals = objects.virtuals.map((object) => virtualServer(object, config));
    services = rules.apply(
      objects.rules,
      virtuals.filter((virtual): virtual is VirtualServer => virtual !== null),
    );
    // The new rules are in force before anybody can connect to a virtual server that has them.
    await engine.ping();
    await listeners.apply(active ? services : new Map());
  };

  const onChange = (changed: readonly { kind: Kind; fullPath: string }[]): void => {
    const groups = new Set<string>();
    let others = false;
    for (const { kind, fullPath } of changed) {
      if (isGroup(kind)) groups.add(fullPath);
      else if (kind !== 'sys file data-group') others = true;
      else if (!stale) for (const name of groupsOfFile(config, fullPath)) groups.add(name);
    }
    for (const name of groups) tasks.push({ do: 'group', state: groupState(config, name) });
    if (others) tasks.push({ do: 'objects', objects: objectsOf(config) });
    schedule(work);
  };

  unit = await start();
  const unsubscribe = config.subscribe(onChange);
  tasks.push(...everything(config));
  schedule(work);
  const settled = async (): Promise<void> => {
    for (let seen: unknown; seen !== working; ) {
      seen = working;
      await working;
      await unit?.engine.ping();
    }
  };
  await settled();

  return {
    settled,
    listener: (virtual) => (active ? listeners.at(virtual) : null),
    ruleStats: stats.list,
    log: ltm.lines,
    async classLookups() {
      await unit?.engine.ping();
      return lookups;
    },
    async setActive(now) {
      active = now;
      schedule(() => listeners.apply(active ? services : new Map()));
      await settled();
    },
    setExternalStale(now) {
      stale = now;
    },
    async close() {
      if (closed) return;
      closed = true;
      unsubscribe();
      tasks.length = 0;
      await working;
      await listeners.apply(new Map());
      hsl.close();
      await unit?.engine.close();
    },
  };
}

/** Groups first: rules and virtual servers may use them at once. */
function everything(config: BoxConfig): Task[] {
  const names = ['ltm data-group internal', 'ltm data-group external'].flatMap((kind) => config.list(kind));
  return [
    ...names.map(({ fullPath }): Task => ({ do: 'group', state: groupState(config, fullPath) })),
    { do: 'objects', objects: objectsOf(config) },
  ];
}

function objectsOf(config: BoxConfig): Objects {
  return {
    rules: config.list('ltm rule'),
    virtuals: config.list('ltm virtual'),
    pools: config.list('ltm pool'),
    nodes: config.list('ltm node'),
  };
}
