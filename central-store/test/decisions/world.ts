/** A store with people in it, for tests of decisions: real keys, real files, and a clock that stands still. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SourceDocument } from '@edgeward/policy';
import {
  type Approval,
  addSignature,
  generateSigningKey,
  type SignedDocument,
  type SigningKey,
  sign,
  type Thresholds,
  type TrustRoot,
} from '@edgeward/policy-format';
import { type Clock, createLogger } from '@edgeward/runtime';
import type { Test } from 'tap';
import {
  type Actor,
  type Bundle,
  bundleOf,
  computeApprovalPayload,
  initStore,
  openStoreFolder,
  type PayloadInputs,
  type ProposalView,
  type StoreFolder,
  type StoreFolderOptions,
} from '../../src/index.ts';

export type Owner = Pick<Test, 'teardown'>;

export const HOUR_MS = 3_600_000;
export const START_MS: number = Date.parse('2026-11-22T10:00:00.000Z');

export interface StillClock extends Clock {
  advance(ms: number): void;
}

/** Time moves by hand; what waits runs when its time has come. */
export function stillClock(): StillClock {
  let nowMs = START_MS;
  let waiting: { atMs: number; run: () => void }[] = [];
  return {
    now: () => nowMs,
    after(delayMs, run) {
      const it = { atMs: nowMs + delayMs, run };
      waiting.push(it);
      return () => {
        waiting = waiting.filter((other) => other !== it);
      };
    },
    advance(ms) {
      nowMs += ms;
      const due = waiting.filter((it) => it.atMs <= nowMs);
      waiting = waiting.filter((it) => it.atMs > nowMs);
      for (const it of due) it.run();
    },
  };
}

export function folderOf(t: Owner): string {
  const dir = mkdtempSync(join(tmpdir(), 'edgeward-store-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export const logger: ReturnType<typeof createLogger> = createLogger({ level: 'silent' });

/** Documents as a directory gives them. */
export function documents(...values: object[]): SourceDocument[] {
  return values.map((value, i) => ({ file: 'policy.yaml', value, locate: () => ({ line: i + 1, column: 1 }) }));
}

export function bundle(...values: object[]): Bundle {
  return bundleOf(documents(...values));
}

export const FRONT = {
  kind: 'VirtualServer',
  name: 'order-front',
  labels: { app: 'shop', role: 'web', env: 'prod' },
  point: 'edge-1',
  bind: 'order-front',
  ports: ['tcp/443'],
  mode: 'enforce',
};

export function policy(...rules: object[]): { kind: string; name: string; rules: object[] } {
  return { kind: 'Policy', name: 'shop', rules };
}

/** Fenced, so that by itself it is no risk. */
export const CRM = {
  id: 'crm-orders',
  from: [{ workloads: "app == 'crm' && env == 'prod'", within: ['10.30.0.0/16'], max: 200 }],
  to: "app == 'shop'",
  ports: ['tcp/443'],
};

export const PLAIN: Bundle = bundle(FRONT, policy(CRM));

const ROLES = {
  ada: ['author'],
  ben: ['author', 'approver'],
  cleo: ['approver'],
  dan: ['approver'],
  eve: ['publisher'],
  flo: ['viewer', 'auditor'],
} as const;

export type Name = keyof typeof ROLES;

export interface World {
  dir: string;
  clock: StillClock;
  keys: { [name in Name]: SigningKey };
  store: StoreFolder;
  reopen(): Promise<StoreFolder>;
  root(): TrustRoot;
  as(name: Name): Actor;
  /** Computes and signs as an author does. */
  draft(documents: Bundle, options?: Partial<PayloadInputs>): Promise<SignedDocument>;
  propose(documents: Bundle, options?: Partial<PayloadInputs>): Promise<ProposalView>;
  approve(id: string, ...names: Name[]): Promise<void>;
  /** From documents to a version, with everybody's signature. */
  publish(documents: Bundle, options?: Partial<PayloadInputs>): Promise<ProposalView>;
}

export async function openWorld(
  t: Owner,
  thresholds: Partial<Thresholds> = {},
  options: Pick<StoreFolderOptions, 'inventory' | 'recomputing'> = {},
): Promise<World> {
  const dir = folderOf(t);
  const clock = stillClock();
  const names = Object.keys(ROLES) as Name[];
  const made = await Promise.all(names.map(async (name) => [name, await generateSigningKey()] as const));
  const keys = Object.fromEntries(made) as World['keys'];
  const people = names.map((name) => ({ name, roles: [...ROLES[name]], keys: [keys[name].publicKey] }));
  const all = { normal: 1, elevated: 2, root: 2, breakGlassHours: 4, ...thresholds };
  await initStore({ dir, people, thresholds: all, clock, logger, approverKeys: [keys.cleo, keys.dan] });
  const world: World = {
    dir,
    clock,
    keys,
    store: await openStoreFolder({ dir, clock, logger, ...options }),
    async reopen() {
      await world.store.close();
      world.store = await openStoreFolder({ dir, clock, logger, ...options });
      return world.store;
    },
    root: () => world.store.roots.newest(),
    as: (name) => ({ name, by: 'certificate' }),
    async draft(documents, options = {}) {
      const { payload } = await compute(world, documents, options);
      return await sign(payload, [keys[payload.proposedBy as Name]]);
    },
    async propose(documents, options = {}) {
      const approval = await world.draft(documents, options);
      const actor = world.as((options.proposedBy ?? 'ada') as Name);
      return await world.store.proposals.propose(actor, { approval, bundle: documents.bytes });
    },
    async approve(id, ...approvers) {
      for (const name of approvers) {
        const { document, payload } = world.store.proposals.view(id);
        const own = await addSignature({ payload: document.payload, signatures: [] }, payload.typ, keys[name]);
        await world.store.proposals.approve(world.as(name), id, { document: own, reason: 'looked at it' });
      }
    },
    async publish(documents, options) {
      const { id } = await world.propose(documents, options);
      await world.approve(id, 'cleo', 'dan');
      await world.store.proposals.publish(world.as('eve'), id);
      return world.store.proposals.view(id);
    },
  };
  t.teardown(() => world.store.close());
  return world;
}

export async function compute(
  world: World,
  documents: Bundle,
  options: Partial<PayloadInputs> = {},
): Promise<{ payload: Approval }> {
  const previous = await world.store.proposals.predecessor();
  const nowMs = world.clock.now();
  const root = world.root();
  return computeApprovalPayload({
    bundle: documents,
    previous,
    root,
    proposedBy: 'ada',
    reason: 'CHG-4411',
    nowMs,
    ...options,
  });
}
