/**
 * The contract of drivers in mode hybrid: after each change that leaves something to be said a snapshot is taken, and at no
 * step does a flag vouch for what is not in force.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Edge, type OnNginx, onEveryNginx } from '@edgeward/test/kit';
import t from 'tap';
import type { ContractFixture } from '../../../enforcement-point/src/contract-test.ts';
import { contractTest } from '../../../enforcement-point/src/contract-test.ts';
import { makeNginxFixture } from '../fixtures/nginx-fixture.ts';

// One edition here, which the other contracts are not alone on; soak runs it on each.
const claim = await onEveryNginx(t, ['debian-14-qjs']);

claim('the driver of mode hybrid keeps the contract of drivers', (t, on) =>
  contractTest(t, () => makeHybridFixture(on)),
);

async function makeHybridFixture(on: OnNginx): Promise<ContractFixture> {
  const started: { edge: Edge | null } = { edge: null };
  const fixture = await makeNginxFixture({
    startEdge: async (t, options) => {
      const edge = await on.startEdge(t, { ...options, hybrid: { cachedCheck: false }, workers: 1 });
      started.edge = edge;
      return { ...edge, point: (own) => snapping(edge, own) };
    },
  });
  const flags = started.edge?.paths.flags ?? '';
  const { policyA, policyB } = fixture;
  const hashes = [policyA, policyB].map(({ objects }) => new Set(objects.map(({ hash }) => hash)));
  return {
    ...fixture,
    async readState() {
      const state = (await fixture.readState()) as { active: { revision: number } | null };
      const inForce = hashes[(state.active?.revision ?? 0) - 1] ?? new Set();
      return { ...state, false: (await vouched(flags)).filter((hash) => !inForce.has(hash)) };
    },
  };
}

/** A snapshot as soon as there is something to say, as the keeper would take it after a while. */
function snapping(edge: Edge, own: Parameters<Edge['hybrid']>[0]): ReturnType<Edge['hybrid']> {
  const point = edge.hybrid(own);
  return {
    ...point,
    async apply(desired) {
      const applied = await point.apply(desired);
      if (point.snapshot().slow !== null && desired.revision === 1) await point.takeSnapshot();
      return applied;
    },
  };
}

async function vouched(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = names.filter((it) => it.isFile()).map((it) => join(it.parentPath, it.name));
  return Promise.all(files.map((file) => readFile(file, 'utf8')));
}
