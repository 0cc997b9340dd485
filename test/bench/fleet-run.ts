/** One fleet behind one store: started, changed, measured. How it is shown is not decided here. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from './benchmark.ts';
import { type FleetClients, openClients, type Reached, summedWire } from './fleet-clients.ts';
import { monotonicMs } from './fleet-clock.ts';
import { BLOCK, type FleetEstate, type Moved, NOWHERE, pointName } from './fleet-estate.ts';
import type { ClientWay, Wire } from './fleet-messages.ts';
import type { Memory } from './fleet-processes.ts';
import { type FleetStore, startFleetStore } from './fleet-store.ts';
import { ASKED_TOGETHER, askedBy } from './fleet-wire.ts';
import type { FleetWorld } from './fleet-world.ts';

/** Kind of `Wire`: what a change made points ask. */
export const ASKED_ANEW = 'asked anew';

export interface FleetPlan {
  points: number;
  perProcess: number;
  /** How often each change is made. */
  changes: Record<ChangeKind, number>;
  /** After each change: what it leaves to be done (reports, disks of points) is mostly done by then. */
  pauseMs: number;
  /** How long nothing changes while requests are counted. */
  quietMs: number;
}

export type ChangeKind = 'point' | 'block' | 'everywhere' | 'version';

/** Everything of one kind of change. */
export interface Changed extends Spent {
  kind: ChangeKind;
  times: number;
  /** Points that each of them concerns. */
  concerned: number;
  /** From the commit until a point's compiled policy was in memory: one for each time and point. */
  appliedMs: number[];
  /** From the commit until the store had served the last head. */
  servedMs: number[];
  missing: number;
  others: number;
}

/** In a span of time: requests by kind, and processor time. */
export interface Spent {
  lastedMs: number;
  wire: Wire;
  storeSeconds: number;
  clientSeconds: number;
}

export interface FleetFound {
  plan: FleetPlan;
  estate: FleetEstate;
  /** How long the store took to answer whoever proposed a version, each time. */
  proposedMs: number[];
  /** From the request to publish the first version until every point's head was served. */
  firstVersionMs: number;
  cold: Reached & Spent;
  changed: Changed[];
  quiet: Spent;
  storeMemory: { alone: Memory; serving: Memory; heldBytes: number };
  clientMemory: Memory[];
  /** Of a process with one of the points and nothing else. */
  onePointMemory: Memory;
  /** Points whose newest head is not the one that they hold, at the end. */
  behind: number;
  errors: Record<string, number>;
}

/** Another way than HTTPS: what the store is told, and how the clients go. */
export interface OtherWay {
  nats: NonNullable<FleetWorld['config']['nats']>;
  clients(rootFile: string, stateDir: string): ClientWay;
}

interface Fleet {
  bench: Bench;
  way: ClientWay;
  proposedMs: number[];
  world: FleetWorld;
  estate: FleetEstate;
  plan: FleetPlan;
  store: FleetStore;
  clients: FleetClients;
}

const LIMIT_MS = 120_000;
const KINDS = ['point', 'block', 'everywhere', 'version'] as const;

export async function runFleet(
  bench: Bench,
  world: FleetWorld,
  estate: FleetEstate,
  plan: FleetPlan,
  other?: OtherWay,
): Promise<FleetFound> {
  if (other !== undefined) world.config.nats = other.nats;
  await world.writeInventory(estate.inventory(NOWHERE));
  const store = await startFleetStore(bench, world);
  const { proposedMs, publish } = await world.approve(store.url, estate.documents(0));
  const publishedMs = await publish();
  const firstVersionMs = (await store.hasServed(plan.points)) - publishedMs;
  const alone = await store.memory();
  const way = await wayOf(bench, world, store, other);
  const options = { count: plan.points, perProcess: plan.perProcess, way, certificates: world.certificates };
  const clients = await openClients(bench, options);
  clients.countWire();
  const fleet = { bench, way, world, estate, plan, store, clients, proposedMs: [proposedMs] };
  bench.progress(`${plan.points} points: cold start`);
  const cold = await spending(fleet, async () => clients.applied(allOf(plan), await clients.start(), LIMIT_MS));
  await sleep(2 * plan.pauseMs);
  const changed: Changed[] = [];
  for (const kind of KINDS) if (plan.changes[kind] > 0) changed.push(await measureChanges(fleet, kind));
  bench.progress(`${plan.points} points: quiet`);
  const quiet = await spending(fleet, () => sleep(plan.quietMs, {}));
  const found = {
    ...{
      plan,
      estate,
      firstVersionMs,
      cold,
      changed,
      quiet,
      proposedMs: fleet.proposedMs,
      ...(await whoIsBehind(fleet)),
    },
    ...{ clientMemory: await clients.memory(), onePointMemory: await onePoint(fleet) },
    storeMemory: { alone, serving: await store.memory(), heldBytes: await store.heldBytes() },
  };
  await clients.stop();
  await store.stop();
  return found;
}

async function wayOf(
  bench: Bench,
  { rootFile }: FleetWorld,
  { url }: FleetStore,
  other: OtherWay | undefined,
): Promise<ClientWay> {
  // A thousand points have a thousand disks; here they would wait for one.
  const memory = '/dev/shm';
  const stateDir = await mkdtemp(join(existsSync(memory) ? memory : tmpdir(), 'edgeward-fleet-'));
  bench.teardown(() => rm(stateDir, { recursive: true, force: true, maxRetries: 5 }));
  return other?.clients(rootFile, stateDir) ?? { kind: 'store', url, rootFile, stateDir };
}

/** A second service for the first point: two of them side by side need nothing of each other. */
async function onePoint({ bench, way, world: { certificates }, plan }: Fleet): Promise<Memory> {
  if (way.kind === 'whole') throw new Error('there is nothing to follow');
  const own = { ...way, stateDir: `${way.stateDir}/alone` };
  const alone = await openClients(bench, { count: 1, perProcess: 1, way: own, certificates });
  await alone.applied(new Set([0]), await alone.start(), LIMIT_MS);
  await sleep(plan.pauseMs);
  const [memory] = await alone.memory();
  await alone.stop();
  if (memory === undefined) throw new Error('there was no process');
  return memory;
}

async function measureChanges(fleet: Fleet, kind: ChangeKind): Promise<Changed> {
  const { bench, plan } = fleet;
  const times = plan.changes[kind];
  bench.progress(`${plan.points} points: ${kind}, ${times} times`);
  const found: Changed = {
    ...{ kind, times, concerned: 0, appliedMs: [], servedMs: [], missing: 0, others: 0 },
    ...{ lastedMs: 0, wire: {}, storeSeconds: 0, clientSeconds: 0 },
  };
  for (let time = 0; time < times; time += 1) {
    const change = await changeOf(fleet, kind, time);
    const { tookMs, servedMs, ...once } = await spending(fleet, () => changeOnce(fleet, change));
    found.concerned = change.concerned.size;
    found.appliedMs.push(...tookMs);
    found.servedMs.push(servedMs);
    for (const key of ['missing', 'others', 'lastedMs', 'storeSeconds', 'clientSeconds'] as const)
      found[key] += once[key];
    found.wire = summedWire([found.wire, once.wire, { [ASKED_ANEW]: askedAnew(once.wire, change.concerned) }]);
  }
  return found;
}

/**
 * What a point asks by itself counts where the change concerns it: others do so still after something before. One alone does
 * not end what the others of its service wait with.
 */
function askedAnew(wire: Wire, concerned: ReadonlySet<number>): Wire[string] {
  const alone = [...concerned].map((point) => askedBy(pointName(point)));
  const kinds = concerned.size === 1 ? alone : [ASKED_TOGETHER, ...alone];
  const sentBytes = kinds.reduce((sum, kind) => sum + (wire[kind]?.sentBytes ?? 0), 0);
  return { requests: 0, sentBytes, receivedBytes: 0 };
}

async function changeOnce({ store, clients, plan }: Fleet, change: Change): Promise<Reached & { servedMs: number }> {
  await store.served();
  const committedMs = await change.commit();
  const reached = await clients.applied(change.concerned, committedMs, LIMIT_MS);
  const servedMs = Math.max(...(await store.served())) - committedMs;
  await sleep(plan.pauseMs);
  return { ...reached, servedMs };
}

interface Change {
  concerned: ReadonlySet<number>;
  /** The answer: when. */
  commit(): Promise<number>;
}

async function changeOf(
  { world, estate, plan, store, proposedMs }: Fleet,
  kind: ChangeKind,
  time: number,
): Promise<Change> {
  if (kind === 'version') {
    const approved = await world.approve(store.url, estate.documents(1 + time));
    proposedMs.push(approved.proposedMs);
    return { concerned: allOf(plan), commit: approved.publish };
  }
  const moves = movesOf(kind, plan.points);
  const [was, is] = [moves(time), moves(time + 1)];
  const text = estate.inventory(is);
  return { concerned: concernedBy(was, is, plan), commit: () => world.writeInventory(text) };
}

/** In and out, in turns: each move concerns the same number of points. */
function movesOf(kind: Exclude<ChangeKind, 'version'>, points: number): (time: number) => Moved {
  return (time) => {
    if (time % 2 === 0) return NOWHERE;
    if (kind === 'point') return { ...NOWHERE, point: (time * 37) % points };
    if (kind === 'block') return { ...NOWHERE, block: (time * 7) % Math.ceil(points / BLOCK) };
    return { ...NOWHERE, everywhere: true };
  };
}

function concernedBy(was: Moved, is: Moved, plan: FleetPlan): ReadonlySet<number> {
  if (was.everywhere !== is.everywhere) return allOf(plan);
  const points = [was.point, is.point].filter((it) => it !== null);
  const blocks = [was.block, is.block].filter((it) => it !== null);
  const inBlocks = [...allOf(plan)].filter((point) => blocks.includes(Math.floor(point / BLOCK)));
  return new Set([...points, ...inBlocks]);
}

async function spending<T extends object>({ store, clients }: Fleet, work: () => Promise<T>): Promise<T & Spent> {
  await clients.wire();
  const [fromMs, storeFrom, clientsFrom] = [
    monotonicMs(),
    await store.processorSeconds(),
    await clients.processorSeconds(),
  ];
  const done = await work();
  const spent = {
    lastedMs: monotonicMs() - fromMs,
    storeSeconds: (await store.processorSeconds()) - storeFrom,
    clientSeconds: (await clients.processorSeconds()) - clientsFrom,
    wire: await clients.wire(),
  };
  return { ...done, ...spent };
}

async function whoIsBehind({ store, clients, plan }: Fleet): Promise<Pick<FleetFound, 'behind' | 'errors'>> {
  const [newest, { revisions, errors }] = [await store.revisions(plan.points), await clients.status()];
  return { behind: newest.filter((revision, point) => revisions[point] !== revision).length, errors };
}

function allOf({ points }: FleetPlan): ReadonlySet<number> {
  return new Set(Array.from({ length: points }, (_, point) => point));
}
