/** The data plane of one unit: virtual servers that really listen, iRules that really run, pool members really asked. */
import type { Logger } from '@edgeward/runtime';
import type { BoxConfig } from '../config/box-config.ts';
import type { LoadRule } from '../irule/loaded-rule.ts';

export interface DataPlaneOptions {
  config: BoxConfig;
  loadRule: LoadRule;
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
  ruleStats(): {
    rule: string;
    event: string;
    priority: number;
    executions: number;
    failures: number;
    aborts: number;
  }[];
  /** Lines of /var/log/ltm. */
  log(): string[];
  classLookups(): Promise<number>;
  /** A standby takes no connections. */
  setActive(active: boolean): Promise<void>;
  /** Fault: external groups keep their old content until the group itself is written. */
  setExternalStale(stale: boolean): void;
  close(): Promise<void>;
}
