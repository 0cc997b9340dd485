/**
 * The data plane of one unit: virtual servers that really listen, iRules that really run, pool members really asked. What
 * the configuration says is brought into force in the order in which it was written. When tclsh dies that is a restart of
 * TMM: every connection is reset, and a new one is given the whole configuration.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { type Logger, messageOf } from '@edgeward/runtime';
import type { BoxConfig } from '../config/box-config.ts';
import type { LoadRule } from '../irule/loaded-rule.ts';
import { createBalancing } from './balancing.ts';
import { everything, type Task, tasksOf } from './configuration-tasks.ts';
import { createHsl } from './hsl.ts';
import { createListeners, type Service } from './listeners.ts';
import { createLtmLog } from './ltm-log.ts';
import { createRuleStats, type RuleStat } from './rule-stats.ts';
import { resolveTclsh, type TclshCommand } from './tclsh.ts';
import { startTmm, type Tmm } from './tmm.ts';

export interface DataPlaneOptions {
  config: BoxConfig;
  loadRule: LoadRule;
  /** A path, a name on PATH, or a command. */
  tclsh: string | TclshCommand;
  tmms: number;
  preface: boolean;
  hostname: string;
  logger: Logger;
  /** Whether it takes connections from the start. Default true. */
  active?: boolean;
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

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2000;
const NO_SERVICES: ReadonlyMap<string, Service> = new Map();

/** Throws EDW_ERR_TCLSH_NOT_FOUND and EDW_ERR_TCLSH_FAILED. */
export async function startDataPlane(options: DataPlaneOptions): Promise<DataPlane> {
  const { config, loadRule, tmms, preface, hostname, logger } = options;
  const tclsh = resolveTclsh(options.tclsh);
  const ltm = createLtmLog(hostname);
  const stats = createRuleStats();
  const balancing = createBalancing();
  const hsl = createHsl({ balancing, onFull: (kind, path, full) => tmm?.setFull(kind, path, full) });
  const listeners = createListeners({
    balancing,
    preface,
    listener: (virtual) => listeners.at(virtual),
    log: (level, text) => ltm.write(0, level, text),
  });
  const tasks: Task[] = [];
  let tmm: Tmm | null = null;
  let services = NO_SERVICES;
  let active = options.active ?? true;
  let stale = false;
  let closed = false;
  let lookups = 0;
  let working: Promise<void> = Promise.resolve();

  const start = (): Promise<Tmm> => {
    const before = lookups;
    const onClassLookups = (count: number): void => {
      lookups = before + count;
    };
    const shared = { tclsh, tmms, hostname, stats, loadRule, balancing, hsl };
    return startTmm({ ...shared, onLog: ltm.write, onHsl: hsl.send, onClassLookups, onEnd });
  };
  /** One step after the other; a step that fails stops no later one. */
  const schedule = (step: () => Promise<void>): void => {
    working = working.then(step).catch((error: unknown) => {
      logger.error({ event: 'tmm_apply_failed', hostname, error: messageOf(error) }, 'configuration not applied');
    });
  };
  const listen = (): Promise<void> => listeners.apply(active && !closed ? services : NO_SERVICES);
  const work = async (): Promise<void> => {
    for (let task = tasks.shift(); task !== undefined && tmm !== null && !closed; task = tasks.shift()) {
      const changed = await tmm.apply(task);
      if (changed === null || tmm === null) continue;
      services = changed;
      await listen();
    }
  };
  const onEnd = (reason: string): void => {
    if (closed || tmm === null) return;
    tmm = null;
    logger.warn({ event: 'tmm_ended', hostname, reason }, 'tclsh ended: TMM restarts');
    ltm.write(0, 'emerg', `simulator: TMM restarts: ${reason.split('\n')[0]}`);
    // Whoever comes before it is back is reset, as those are that were here.
    services = new Map([...services].map(([name, { virtual }]) => [name, { virtual, chain: null }]));
    listeners.resetAll();
    schedule(restart);
  };
  const restart = async (): Promise<void> => {
    await listen();
    for (let retryMs = FIRST_RETRY_MS; tmm === null && !closed; retryMs = Math.min(LAST_RETRY_MS, retryMs * 2)) {
      await wait(retryMs);
      const started = closed ? null : await start().catch(() => null);
      tmm = started?.dead === false ? started : null;
    }
    tasks.splice(0, Number.POSITIVE_INFINITY, ...everything(config));
    await work();
  };

  tmm = await start();
  const unsubscribe = config.subscribe((changed) => {
    tasks.push(...tasksOf(config, changed, stale));
    schedule(work);
  });
  tasks.push(...everything(config));
  schedule(work);
  const settled = async (): Promise<void> => {
    for (let seen: unknown; seen !== working; ) {
      seen = working;
      await working;
      await tmm?.ping();
    }
  };
  await settled();

  return {
    settled,
    listener: listeners.at,
    ruleStats: stats.list,
    log: ltm.lines,
    async classLookups() {
      await tmm?.ping();
      return lookups;
    },
    async setActive(now) {
      active = now;
      schedule(listen);
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
      await listen();
      hsl.close();
      await tmm?.close();
    },
  };
}
