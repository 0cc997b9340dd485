/** What breaks, and how it is mended. Each resolves when everything that it broke is whole again, and runs. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Disk } from './disk.ts';
import type { Service, Stage } from './stage.ts';

export type Fault = (stage: Stage) => Promise<void>;

const FULL_MS = 150;
/** A store takes 64 numbers at a time, and machines say something new every 0.4 s. */
const LONG_MS = 40_000;

/** In every estate. */
export const faults: Readonly<Record<string, Fault>> = {
  async 'the store is killed'({ store, dice }) {
    await store.kill();
    await sleep(dice.below(1_500));
    await store.start();
  },
  async 'a service is killed'(stage) {
    const service = oneOf(stage);
    await service.kill();
    await sleep(stage.dice.below(1_500));
    await service.start();
  },
  async 'both services are killed'({ services, dice }) {
    await Promise.all(services.map((service) => service.kill()));
    await sleep(dice.below(1_000));
    await Promise.all(services.map((service) => service.start()));
  },
  async 'the store and a service are killed'(stage) {
    const service = oneOf(stage);
    await Promise.all([stage.store.kill(), service.kill()]);
    await sleep(stage.dice.below(1_000));
    await Promise.all([stage.store.start(), service.start()]);
  },
};

/** Where the store has a disk of its own. */
export const diskFaults: Readonly<Record<string, Fault>> = {
  async 'the disk is full'(stage) {
    const disk = diskOf(stage);
    await keptFull(disk, 500 + stage.dice.below(2_500));
    await disk.free();
  },
  async 'the disk is full, and the store is killed'(stage) {
    const { store, dice } = stage;
    const disk = diskOf(stage);
    await keptFull(disk, dice.below(1_500));
    await store.kill();
    await disk.fill();
    const started = store.keepStarting();
    await keptFull(disk, dice.below(2_000));
    await disk.free();
    await started;
  },
};

/** For long runs alone. */
export const longFaults: Readonly<Record<string, Fault>> = {
  async 'the disk is full until no number is left'(stage) {
    const disk = diskOf(stage);
    await keptFull(disk, LONG_MS);
    await disk.free();
  },
  async 'the store is killed while it starts, again and again'({ store, dice }) {
    for (let times = 0; times < 4; times += 1) {
      await store.kill();
      const started = store.start().catch(() => {});
      await sleep(300 + dice.below(1_200));
      await store.kill();
      await started;
    }
    await store.start();
  },
};

/** Where there is NATS. */
export const nodeFaults: Readonly<Record<string, Fault>> = {
  async 'a node is killed'(stage) {
    const cluster = clusterOf(stage);
    const node = stage.dice.below(3);
    await cluster.kill(node);
    await sleep(500 + stage.dice.below(4_000));
    await cluster.restart(node);
  },
  async 'a node is cut off'(stage) {
    const cluster = clusterOf(stage);
    const node = stage.dice.below(3);
    cluster.cut(node);
    await sleep(500 + stage.dice.below(5_000));
    cluster.mend(node);
  },
  async 'two nodes are killed'(stage) {
    const cluster = clusterOf(stage);
    const nodes = stage.dice.shuffled([0, 1, 2]).slice(1);
    await Promise.all(nodes.map((node) => cluster.kill(node)));
    await sleep(500 + stage.dice.below(3_000));
    await Promise.all(nodes.map((node) => cluster.restart(node)));
  },
  async 'a node and the store are killed'(stage) {
    const cluster = clusterOf(stage);
    const node = stage.dice.below(3);
    await Promise.all([cluster.kill(node), stage.store.kill()]);
    await sleep(stage.dice.below(1_000));
    await Promise.all([cluster.restart(node), stage.store.start()]);
  },
};

function oneOf({ services, dice }: Stage): Service {
  const service = services[dice.below(services.length)];
  if (service === undefined) throw new RangeError('there is no service');
  return service;
}

async function keptFull(disk: Disk, forMs: number): Promise<void> {
  for (const untilMs = Date.now() + forMs; Date.now() < untilMs; await sleep(FULL_MS)) await disk.fill();
}

function diskOf({ disk }: Stage): Disk {
  if ('reason' in disk) throw new Error(disk.reason);
  return disk;
}

function clusterOf({ cluster }: Stage): NonNullable<Stage['cluster']> {
  if (cluster === null) throw new RangeError('there is no cluster');
  return cluster;
}
