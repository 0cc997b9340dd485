/** A store's publishing over a signed world: its people and keys, the engine that evaluates groups, and a point's own checks. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AddressKey, type PointRules, parseAddress } from '@edgeward/policy';
import {
  acceptDelta,
  acceptHead,
  cursorOf,
  digestOf,
  type Floor,
  type PointState,
  rulesBytes,
  type SignedDocument,
  type TrustRoot,
} from '@edgeward/policy-format';
import { type Clock, createLogger } from '@edgeward/runtime';
import {
  createSignedWorld,
  type SignedWorld,
  sliceDocuments,
  type Version,
  type VersionOptions,
} from '@edgeward/test/kit';
import type { Test } from 'tap';
import { createMembership, type WorkloadEdit } from '../src/index.ts';
import type { ApprovedVersion, Publishing, PublishingOptions } from '../src/publishing/index.ts';
import { createPublishing, versionSlices } from '../src/publishing/index.ts';

export interface HandClock extends Clock {
  /** Moves on, and runs what came due, in order. */
  pass(ms: number): void;
}

export function handClock(startMs: number): HandClock {
  let nowMs = startMs;
  const timers = new Set<{ atMs: number; run: () => void }>();
  return {
    now: () => nowMs,
    after(delayMs, run) {
      const timer = { atMs: nowMs + delayMs, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    pass(ms) {
      const endMs = nowMs + ms;
      for (let ran = 0; ran < 10_000; ran += 1) {
        const [next] = [...timers].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
        if (next === undefined) break;
        timers.delete(next);
        nowMs = next.atMs;
        next.run();
      }
      nowMs = endMs;
    },
  };
}

export interface Bench {
  world: SignedWorld;
  clock: HandClock;
  dir: string;
  publishing: Publishing;
  /** Points published and looked at, by piece of work. */
  compiled: { points: number; published: number }[];
  approve(rules: readonly PointRules[], options?: VersionOptions): Promise<ApprovedVersion>;
  /** Every point of the version has it. */
  everywhere(version: ApprovedVersion, base?: ApprovedVersion): Promise<void>;
  /** The same folder in another process, as far as that can be had in one. */
  reopen(more?: Partial<PublishingOptions>): Promise<void>;
}

export async function openBench(t: Test, more: Partial<PublishingOptions> = {}): Promise<Bench> {
  const dir = await mkdtemp(join(tmpdir(), 'edgeward-publishing-'));
  const bench = await openBenchIn(dir, more);
  t.teardown(async () => {
    await bench.publishing.close().catch(() => {});
    await rm(dir, { recursive: true, force: true });
  });
  return bench;
}

export async function openBenchIn(dir: string, more: Partial<PublishingOptions> = {}): Promise<Bench> {
  const world = await createSignedWorld();
  const clock = handClock(world.nowMs);
  const compiled: Bench['compiled'] = [];
  const open = async (options: Partial<PublishingOptions>): Promise<Publishing> => {
    const publishing = await createPublishing({
      store: world.store,
      membership: createMembership(),
      dir,
      clock,
      logger: createLogger({ level: 'silent' }),
      checkpoint: () => ({ size: 1, hash: digestOf('entry') }),
      onCompiled: ({ points, published }) => compiled.push({ points, published }),
      ...options,
    });
    await publishing.setTrust({ root: world.root, document: world.pinned, storeKey: world.keys.store }, []);
    return publishing;
  };
  const bench: Bench = {
    world,
    clock,
    dir,
    compiled,
    publishing: await open(more),
    approve: async (rules, options) => approvedVersion(await world.publish(rules, options)),
    everywhere: (version, base) =>
      bench.publishing.setVersions(
        new Map(version.slices.map(({ point }) => [point, { version, base: base ?? null }])),
      ),
    async reopen(again = more) {
      await bench.publishing.close();
      bench.publishing = await open(again);
    },
  };
  return bench;
}

async function approvedVersion({ approval, signed, slices }: Version): Promise<ApprovedVersion> {
  return {
    version: approval.version,
    payload: approval,
    approval: signed,
    slices: await versionSlices(
      [...slices.values()].map(({ rules }) => {
        const bytes = rulesBytes(rules);
        return { point: rules.point, rules, bytes, digest: digestOf(bytes) };
      }),
    ),
  };
}

/** `crm-1`: app crm, at 10.30.x.y by its number. */
export function workload(number: number, labels: Record<string, string> = { app: 'crm' }): WorkloadEdit {
  return { name: `w-${number}`, is: { labels, addresses: [addressKey(addressOf(number))] } };
}

export function gone(number: number): WorkloadEdit {
  return { name: `w-${number}`, is: null };
}

export function addressOf(number: number): string {
  return `10.30.${number >> 8}.${number & 255}`;
}

function addressKey(text: string): AddressKey {
  const key = parseAddress(text);
  if (key === null) throw new Error(`${text} is no address`);
  return key;
}

/** Each app has a point of its own, and one group: `app == 'a-N'`, inside 10.30.0.0/16. */
export function slicesOfApps(count: number, max = 600): PointRules[] {
  const numbers = Array.from({ length: count }, (_, i) => i);
  return sliceDocuments([
    ...numbers.map((i) => ({
      kind: 'VirtualServer',
      name: `front-${i}`,
      labels: { app: `shop-${i}` },
      point: `edge-${i}`,
      bind: `front-${i}`,
      ports: ['tcp/443'],
      mode: 'enforce',
    })),
    {
      kind: 'Policy',
      name: 'apps',
      rules: numbers.map((i) => ({
        id: `app-${i}`,
        from: [{ workloads: `app == 'a-${i}'`, within: ['10.30.0.0/16'], max }],
        to: `app == 'shop-${i}'`,
      })),
    },
  ]);
}

export interface Hop {
  state: PointState | null;
  floor: Floor | null;
  root: TrustRoot;
  /** By the product's own checks, what is published now: a delta where there is one. Throws `Nacked`. */
  follow(): Promise<'head' | 'delta' | 'unchanged'>;
  members(group: string): readonly string[];
}

export function hop(bench: () => Publishing, point: string, root: TrustRoot, clock: Clock): Hop {
  const fetch = {
    blob: (digest: string) => bench().blob(digest, [point]),
    root: async (version: number): Promise<unknown> => JSON.parse(String(bench().root(version))),
    keepRoot: async (_: SignedDocument, newer: TrustRoot) => {
      self.root = newer;
    },
  };
  const self: Hop = {
    state: null,
    floor: null,
    root,
    members: (group) => self.state?.book.members(group) ?? [],
    async follow() {
      const { state: known, floor } = self;
      const task = { point, known, floor, root: self.root, fetch, nowMs: clock.now() };
      const news = known === null ? null : bench().news(point, cursorOf(known));
      const step =
        news?.state === 'delta' && known !== null
          ? await acceptDelta({ ...task, known, delta: news.delta })
          : await acceptHead({ ...task, head: bench().point(point)?.signed });
      Object.assign(self, { state: step.state, floor: step.floor });
      return step.unchanged ? 'unchanged' : news?.state === 'delta' ? 'delta' : 'head';
    },
  };
  return self;
}

/** `app == 'crm'` may reach the front at edge-1, but for those with a label `quarantine`. */
export function slicesWithQuarantine(): PointRules[] {
  const to = "app == 'shop'";
  return sliceDocuments([
    {
      ...{ kind: 'VirtualServer', name: 'front', labels: { app: 'shop' }, point: 'edge-1', bind: 'front' },
      ...{ ports: ['tcp/443'], mode: 'enforce' },
    },
    {
      kind: 'Policy',
      name: 'shop',
      rules: [
        { id: 'crm', from: [{ workloads: "app == 'crm'", within: ['10.30.0.0/16'] }], to },
        { id: 'quarantine', from: [{ workloads: 'has(quarantine)' }], to, action: 'deny' },
      ],
    },
  ]);
}
