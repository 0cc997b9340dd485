/**
 * A store and thousands of points as real clients over loopback: how soon a change is in force in memory everywhere, what it
 * costs on the wire and in memory, against a server from which everybody downloads everything, in the same run.
 */
import type { Bench, Benchmark } from './benchmark.ts';
import { fleetEstate } from './fleet-estate.ts';
import { natsWay, runWhole, type WholeFound } from './fleet-others.ts';
import { type FleetFound, type FleetPlan, runFleet } from './fleet-run.ts';
import { appliedTable, comparedTable, memoryTable, notesOf, type Row, startTable, wireTable } from './fleet-tables.ts';
import { fleetWorld } from './fleet-world.ts';

const thousand: FleetPlan = {
  points: 1_000,
  perProcess: 500,
  changes: { point: 8, block: 5, everywhere: 4, version: 2 },
  pauseMs: 1_500,
  quietMs: 20_000,
};
const fiveThousand: FleetPlan = {
  points: 5_000,
  perProcess: 1_000,
  changes: { point: 4, block: 3, everywhere: 2, version: 1 },
  pauseMs: 1_500,
  quietMs: 12_000,
};
const overNats: FleetPlan = {
  points: 500,
  perProcess: 250,
  changes: { point: 4, block: 3, everywhere: 3, version: 1 },
  pauseMs: 1_500,
  quietMs: 5_000,
};

export const fleet: Benchmark = {
  name: 'fleet',
  measures: 'a store and its points as real clients: commit to applied, bytes, memory, cold start',
  async run(bench) {
    const small = await overHttps(bench, thousand, (world) =>
      runWhole(bench, world, fleetEstate(thousand.points), { clients: thousand.points, perProcess: 500, changes: 1 }),
    );
    const large = await overHttps(bench, fiveThousand);
    const nats = await runNats(bench);
    const rows: Row[] = [{ way: 'HTTPS', found: small.found }, { way: 'HTTPS', found: large.found }, nats];
    const whole = small.other as WholeFound;
    return {
      state: 'measured',
      tables: [
        appliedTable(rows),
        wireTable(small.found),
        startTable(rows),
        memoryTable(rows),
        comparedTable(small.found, whole),
      ],
      notes: notesOf(rows, whole),
    };
  },
};

async function overHttps<T>(
  bench: Bench,
  plan: FleetPlan,
  other?: (world: Awaited<ReturnType<typeof fleetWorld>>) => Promise<T>,
): Promise<{ found: FleetFound; other: T | undefined }> {
  bench.progress(`${plan.points} points: certificates, first version`);
  const world = await fleetWorld(bench, plan.points);
  const found = await runFleet(bench, world, fleetEstate(plan.points), plan);
  return { found, other: await other?.(world) };
}

async function runNats(bench: Bench): Promise<Row> {
  bench.progress(`${overNats.points} points over NATS: three nodes, certificates, first version`);
  const world = await fleetWorld(bench, overNats.points);
  const way = await natsWay(bench, overNats.points);
  return { way: 'NATS', found: await runFleet(bench, world, fleetEstate(overNats.points), overNats, way) };
}
