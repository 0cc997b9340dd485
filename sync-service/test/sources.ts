/**
 * What every source of policy is held to where a point sees it: a folder that is compiled here, a store over HTTPS, a copy of
 * a store's mirror, a store behind NATS. The far side is real, and one for all claims; each claim follows it from a fresh
 * state folder.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { NO_SINKS } from '@edgeward/audit-collector';
import { type CompiledPolicy, decide, viewOf } from '@edgeward/policy';
import { createLifecycle, createLogger } from '@edgeward/runtime';
import type { Test } from 'tap';
import type { ServiceConfig } from '../src/config.ts';
import { openPolicySource } from '../src/open-policy-source.ts';
import type { PolicySource } from '../src/policy-source.ts';

/** What the point edge-1 is to enforce at `front-edge-1`. */
export interface SourceSite {
  /** Numbers of `crm` workloads, at 10.30.0.N, in the order in which they came. */
  crm: readonly number[];
  /** Id of the rule that lets them in. */
  rule: string;
  /** A rule `grant` for 198.51.100.7 that ends then; null: there is none. */
  grantUntilMs: number | null;
}

export interface FarSide {
  /** Where it is, for the configuration of a service. */
  config: Pick<ServiceConfig, 'policies' | 'store'>;
  /** In force there when it settles. */
  put(site: SourceSite): Promise<void>;
  /** From now on it offers something that is not to be believed. */
  spoil(): Promise<void>;
  /** Of what is told then. */
  spoilt: RegExp;
  /** Away. */
  cut(): Promise<void>;
  /** There again, with what was put meanwhile, and nothing spoilt. */
  heal(): Promise<void>;
  /** Whether it says who is at an address. */
  names: boolean;
}

interface Following {
  source: PolicySource;
  /** In the order in which edge-1 got it. */
  published: CompiledPolicy[];
  verdict(from: string): string;
  stop(): Promise<string[]>;
}

const crm = (number: number): string => `10.30.0.${number}`;
const granted = '198.51.100.7';
const first: SourceSite = { crm: [1, 2, 3, 4], rule: 'crm', grantUntilMs: null };
const GRANT_MS = 4_000;

export async function policySources(t: Test, name: string, openFarSide: (t: Test) => Promise<FarSide>): Promise<void> {
  await t.test(name, async (t) => {
    const far = await openFarSide(t);
    const states = await mkdtemp(join(tmpdir(), 'edgeward-sources-'));
    t.teardown(() => rm(states, { recursive: true, force: true }));
    let opened = 0;
    const follow = (t: Test, stateDir = join(states, String(++opened))) => following(t, far, stateDir);
    let site = first;
    const put = async (change: Partial<SourceSite>): Promise<void> => {
      site = { ...site, ...change };
      await far.put(site);
    };
    await put({});

    t.test('what it says is in force when it has started, or soon after', async (t) => {
      const it = await follow(t);
      await until('a member is let in', () => it.verdict(crm(1)) === 'allow by crm');
      t.equal(it.verdict(crm(5)), 'unknown-source');
      t.match(it.source.policy.status(), { revision: it.published.at(-1)?.revision });
      t.strictSame(
        it.source.policy.objects().map((object) => object.name),
        ['front-edge-1'],
      );
      t.match(it.source.policy.explain({ from: crm(1), to: 'front-edge-1', port: 'tcp/443' }), { rule: 'crm' });
      t.equal(it.source.followers().length, far.config.store === null ? 0 : 1);
    });

    t.test('who is at an address is said by the inventory, where the way carries it', async (t) => {
      const it = await follow(t);
      await until('there is a policy', () => it.published.length > 0);
      const known = it.source.policy.identities('edge-1')?.identities.identify(crm(1));
      t.match(known, far.names ? { workloads: ['crm-1'], labels: { app: 'crm' } } : { workloads: [], labels: {} });
      t.match(it.source.policy.identities('edge-1')?.identities.objectAt('edge-1', 'front-edge-1'), {
        labels: { app: 'shop' },
      });
    });

    t.test('a change reaches the point, and the revision grows', async (t) => {
      const it = await follow(t);
      await until('a member is let in', () => it.verdict(crm(1)) === 'allow by crm');
      await put({ crm: [...site.crm, 5] });
      await until('the new member is let in', () => it.verdict(crm(5)) === 'allow by crm');
      await put({ rule: 'crm-2' });
      await until('the new rule decides', () => it.verdict(crm(1)) === 'allow by crm-2');
      const revisions = it.published.map(({ revision }) => revision);
      t.strictSame(
        revisions,
        [...new Set(revisions)].sort((a, b) => a - b),
      );
      t.ok(revisions.length >= 3);
      t.match(it.source.policy.status(), { state: 'current', errors: [], held: null });
    });

    t.test('what is broken or unsigned changes nothing and is told, until it is put right', async (t) => {
      const it = await follow(t);
      await until('a member is let in', () => it.verdict(crm(1)) === 'allow by crm-2');
      const before = it.published.length;
      await far.spoil();
      await until('it is told', () => far.spoilt.test(it.source.policy.status().errors[0]?.code ?? ''));
      t.equal(it.source.policy.status().state, 'last-known-good');
      t.ok(it.source.policy.status().errors.every(({ message, mend }) => message !== '' && mend !== ''));
      t.equal(it.published.length, before);
      t.equal(it.verdict(crm(1)), 'allow by crm-2');
      await far.heal();
      await put({ crm: [...site.crm, 6] });
      await until('it goes on', () => it.verdict(crm(6)) === 'allow by crm-2');
      await until('all is well', () => it.source.policy.status().state === 'current');
    });

    t.test('a source that is away leaves everything in force, and what it missed comes when it is back', async (t) => {
      const it = await follow(t);
      await until('a member is let in', () => it.verdict(crm(1)) === 'allow by crm-2');
      const before = it.published.length;
      await far.cut();
      await until('it is missed', () => it.source.policy.status().state === 'last-known-good');
      t.equal(it.published.length, before);
      t.equal(it.verdict(crm(1)), 'allow by crm-2');
      await far.heal();
      await put({ crm: [...site.crm, 7] });
      await until('what it missed is in force', () => it.verdict(crm(7)) === 'allow by crm-2');
      await until('all is well', () => it.source.policy.status().state === 'current');
    });

    t.test('a grant ends while the source is away, also for who was restarted meanwhile', async (t) => {
      const stays = await follow(t);
      const leaves = await follow(t, join(states, 'restarted'));
      const isGranted = (): boolean => [stays, leaves].every((it) => it.verdict(granted) === 'allow by grant');
      // It has to be seen before it ends, and how long a busy machine takes to it nobody knows.
      for (let grantMs = GRANT_MS, isSeen = false; !isSeen; grantMs *= 2) {
        const endsAtMs = Date.now() + grantMs;
        await put({ grantUntilMs: endsAtMs });
        await until('it is granted, or over', () => isGranted() || Date.now() > endsAtMs);
        isSeen = isGranted();
      }
      await until('it is kept', () => leaves.source.followers().every(({ kept }) => kept));
      await far.cut();
      t.strictSame(await leaves.stop(), [], 'everything closes in time');
      const back = await follow(t, join(states, 'restarted'));
      t.equal(back.verdict(crm(1)), 'allow by crm-2', 'what was last known is in force at once');
      t.equal(back.published[0]?.revision, leaves.published.at(-1)?.revision);
      for (const it of [stays, back]) {
        await until('the grant ends', () => it.verdict(granted) === 'unknown-source');
        t.equal(it.verdict(crm(1)), 'allow by crm-2');
        await until('the source is missed', () => it.source.policy.status().state === 'last-known-good');
      }
      await far.heal();
    });

    t.test('closing leaves nothing behind', async (t) => {
      const before = held();
      for (const moment of [0, 30, 300]) {
        const it = await follow(t, join(states, 'closed'));
        await pause(moment);
        t.strictSame(await it.stop(), []);
        const published = it.published.length;
        await put({ crm: [...site.crm, Math.max(...site.crm) + 1] });
        await pause(50);
        t.equal(it.published.length, published, 'and says nothing more');
      }
      await until('sockets and watches are gone', () => held() <= before);
    });
  });
}

async function following(t: Test, far: FarSide, stateDir: string): Promise<Following> {
  const logger = createLogger({ level: 'silent' });
  const lifecycle = createLifecycle(logger);
  // The test's process has handlers of its own.
  lifecycle.release();
  const stop = async (): Promise<string[]> => (await lifecycle.shutdown('the test')).unclosed;
  t.teardown(stop);
  const published: CompiledPolicy[] = [];
  const source = await openPolicySource({
    config: { ...CONFIG, ...far.config, stateDir },
    logger,
    lifecycle,
    publish: (_, policy) => void published.push(policy),
    observe: () => ({ applied: null, state: 'applying', nack: null, denials: { total: 0, sinceMs: 0 } }),
  });
  lifecycle.onClose('policy source', () => source.close());
  await source.start();
  return {
    source,
    published,
    stop,
    verdict(from) {
      const policy = published.at(-1);
      if (policy === undefined) return 'no-policy';
      const verdict = decide(viewOf(policy), { from, to: 'front-edge-1', port: 'tcp/443' });
      return verdict.rule === null ? verdict.reason : `${verdict.verdict} by ${verdict.rule}`;
    },
  };
}

const CONFIG: ServiceConfig = {
  policies: '/nowhere',
  store: null,
  stateDir: '/nowhere',
  points: [
    {
      name: 'edge-1',
      push: 'http://127.0.0.1:1',
      tokenFile: '/nowhere',
      denyLog: '/nowhere',
      lastKnownFile: '/nowhere',
      onDrift: 'repair',
      tls: null,
      streamPush: null,
      native: null,
      proof: { mode: 'off', everyMs: 60_000, objects: {} },
    },
  ],
  bigips: [],
  hosts: null,
  api: { host: '127.0.0.1', port: 0, tokenFile: '/nowhere' },
  retainDays: 1,
  retainRollupDays: 1,
  ledger: { kind: 'sqlite', file: '/nowhere/ledger.db' },
  metrics: null,
  sinks: NO_SINKS,
  logLevel: 'error',
};

/** Sockets, watches and child processes of this process. */
function held(): number {
  return process.getActiveResourcesInfo().filter((it) => /^(TCP|TLS|Pipe|FSEvent|FSReq|Process)/.test(it)).length;
}

const PATIENCE_MS = 90_000;

export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`it never came to pass: ${what}`);
    await pause(10);
  }
}
