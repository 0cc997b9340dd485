/** Rules and virtual servers, as the configuration has them, brought into an engine; what did not change stays. */
import type { ConfigObject } from '../config/box-config.ts';
import type { LoadedRule, LoadRule } from '../irule/loaded-rule.ts';
import type { Chain } from './chain.ts';
import type { Engine } from './engine.ts';
import type { Service } from './listeners.ts';
import type { RuleStats } from './rule-stats.ts';
import type { RuleVersion } from './rule-version.ts';
import type { VirtualServer } from './virtual-server.ts';

export interface RuleSet {
  apply(rules: readonly ConfigObject[], virtuals: readonly VirtualServer[]): Map<string, Service>;
}

export interface RuleSetOptions {
  engine: Engine;
  loadRule: LoadRule;
  stats: RuleStats;
  onRefused(message: string): void;
}

interface Loaded {
  text: string;
  version: RuleVersion | null;
}

interface Attached {
  key: string;
  chain: Chain;
}

// Names were checked when the rule was written; what was removed since is found out when it is used.
const EVERY_NAME = { has: () => true };

export function createRuleSet({ engine, loadRule, stats, onRefused }: RuleSetOptions): RuleSet {
  const loaded = new Map<string, Loaded>();
  const attached = new Map<string, Attached>();

  const loadAll = (rules: readonly ConfigObject[]): void => {
    const names = new Set(rules.map(({ fullPath }) => fullPath));
    for (const [name, { version }] of [...loaded]) {
      if (names.has(name)) continue;
      version?.retire();
      loaded.delete(name);
      stats.removed(name);
    }
    for (const { fullPath, properties } of rules) {
      const text = String(properties.apiAnonymous ?? '');
      const before = loaded.get(fullPath);
      if (before?.text === text) continue;
      const rule = read(fullPath, text);
      loaded.set(fullPath, { text, version: rule === null ? null : engine.load(rule) });
      before?.version?.retire();
    }
  };
  const read = (fullPath: string, text: string): LoadedRule | null => {
    const loading = loadRule(fullPath, text, EVERY_NAME);
    if (loading.state === 'loaded') return loading.rule;
    onRefused(loading.message);
    return null;
  };
  const attach = (virtual: VirtualServer): Chain | null => {
    const versions = virtual.rules.map((name) => loaded.get(name)?.version ?? null);
    const whole = versions.filter((version) => version !== null);
    const key = JSON.stringify([whole.map(({ number }) => number), virtual.profiles]);
    const before = attached.get(virtual.fullPath);
    if (before?.key === key && whole.length === versions.length) return before.chain;
    const chain = whole.length === versions.length ? engine.chain(virtual.fullPath, virtual.profiles, whole) : null;
    if (chain === null) attached.delete(virtual.fullPath);
    else attached.set(virtual.fullPath, { key, chain });
    before?.chain.retire();
    return chain;
  };
  return {
    apply(rules, virtuals) {
      loadAll(rules);
      const services = new Map(virtuals.map((virtual) => [virtual.fullPath, { virtual, chain: attach(virtual) }]));
      for (const [name, { chain }] of [...attached]) {
        if (services.has(name)) continue;
        attached.delete(name);
        chain.retire();
      }
      return services;
    },
  };
}
