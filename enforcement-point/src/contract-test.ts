/**
 * What every driver promises, as tests that run against the real thing it drives. A driver that passes can be given to
 * the reconciler. The fixture stands between driver and point, so that it counts and cuts what really happens there and
 * does not believe the driver. Part of the product's source because drivers in other folders run it; nothing else does.
 */
import { isDeepStrictEqual } from 'node:util';
import type { CompiledPolicy } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import type { Actual, EnforcementPoint } from './enforcement-point.ts';

export interface ContractFixture {
  /** A driver as the service would open it. Called again for a new process on the same point; the fixture closes them. */
  open(): Promise<EnforcementPoint>;
  /** Small, and of different hashes; B has the greater revision. Applying either takes at least one write. */
  readonly policyA: CompiledPolicy;
  readonly policyB: CompiledPolicy;
  /** Everything that the driver keeps at the point, comparable: without times, generations and places of storage. */
  readState(): Promise<unknown>;
  /** Everything at the point that is not the driver's, with something in it. */
  readForeign(): Promise<unknown>;
  /** Writes sent to the point since the fixture was made, those that were cut included. */
  writes(): number;
  /** Changes the policy at the point behind the driver's back. */
  tamper(): Promise<void>;
  /** The n-th write from now (from 1) does not reach the point, nor does any after it, until `mend`. */
  failAtWrite(n: number): void;
  /** The point cannot be reached, until `mend`. */
  unreach(): Promise<void> | void;
  mend(): Promise<void> | void;
  /** The point starts anew, as after a crash of its own. */
  restart(): Promise<void>;
  /** Called after a failure too; a second call does nothing. */
  close(): Promise<void>;
}

/** The part of tap's `Test` that is used here. */
export interface ContractTest {
  test(name: string, body: (t: ContractTest) => Promise<void>): unknown;
  ok(found: unknown, claim: string): unknown;
  strictSame(found: unknown, wanted: unknown, claim: string): unknown;
  teardown(run: () => Promise<void>): unknown;
}

export type MakeFixture = () => Promise<ContractFixture>;

/** An apply of more writes is not followed to its end: small policies are asked for. */
const maxSteps = 64;

/** Every clause makes fixtures of its own; a slow one makes slow tests and nothing worse. */
export async function contractTest(t: ContractTest, makeFixture: MakeFixture): Promise<void> {
  const wanted: Wanted = { stateOfB: null };
  for (const { claim, prove } of clauses) {
    await t.test(claim, async (t) => {
      const make: MakeFixture = async () => {
        const fixture = await makeFixture();
        t.teardown(() => fixture.close());
        return fixture;
      };
      await prove(t, make, wanted);
    });
  }
}

/** What several clauses compare with, and one of them makes. */
interface Wanted {
  stateOfB: Promise<unknown> | null;
}

interface Clause {
  claim: string;
  prove(t: ContractTest, make: MakeFixture, shared: Wanted): Promise<void>;
}

const clauses: Clause[] = [
  {
    claim: 'inspect tells what is there and writes nothing',
    async prove(t, make) {
      const fixture = await make();
      const { policyA } = fixture;
      const point = await fixture.open();
      t.strictSame(await point.inspect(), { state: 'empty' }, 'empty before the first apply');
      t.strictSame(fixture.writes(), 0, 'looking at an empty point writes nothing');
      const applied = await point.apply(policyA);
      t.strictSame(applied.revision, policyA.revision, 'apply tells the revision');
      t.ok(applied.writes > 0 && applied.bytes > 0, 'apply tells what it wrote');
      const writes = fixture.writes();
      t.strictSame(await point.inspect(), loaded(policyA), 'the policy that was applied, without drift');
      t.strictSame(fixture.writes(), writes, 'looking at a loaded point writes nothing');
    },
  },
  {
    claim: 'applying twice writes nothing the second time, nor does a new process',
    async prove(t, make) {
      const fixture = await make();
      const point = await fixture.open();
      await point.apply(fixture.policyA);
      const [state, writes] = [await fixture.readState(), fixture.writes()];
      const again = await point.apply(fixture.policyA);
      const anew = await (await fixture.open()).apply(fixture.policyA);
      t.strictSame([again.writes, anew.writes], [0, 0], 'both say that nothing was written');
      t.strictSame(fixture.writes(), writes, 'no write reached the point');
      t.strictSame(await fixture.readState(), state, 'the state is as it was');
    },
  },
  {
    claim: 'B after A equals B',
    async prove(t, make, shared) {
      const fixture = await make();
      const wanted = await stateOfB(make, shared);
      const point = await fixture.open();
      await point.apply(fixture.policyA);
      t.ok(!equal(await fixture.readState(), wanted), 'A differs from B, or this proves nothing');
      await point.apply(fixture.policyB);
      t.strictSame(await fixture.readState(), wanted, 'nothing of A is left');
      t.strictSame(await point.inspect(), loaded(fixture.policyB), 'and inspect says B');
    },
  },
  {
    claim: 'foreign objects stay untouched',
    async prove(t, make) {
      const fixture = await make();
      const foreign = await fixture.readForeign();
      const point = await fixture.open();
      await point.apply(fixture.policyA);
      t.strictSame(await fixture.readForeign(), foreign, 'by the first apply');
      await point.apply(fixture.policyB);
      await fixture.tamper();
      await point.apply(fixture.policyB);
      t.strictSame(await fixture.readForeign(), foreign, 'by a change and by a repair');
    },
  },
  {
    claim: 'killed at every step, the point keeps A whole or has B whole, and the next process makes it B',
    async prove(t, make, shared) {
      const wanted = await stateOfB(make, shared);
      let steps = 0;
      for (let n = 1; n <= maxSteps; n += 1) {
        const fixture = await make();
        const cut = await killAtWrite(t, fixture, n, wanted);
        // Closed at once: a point for every step would be a lot of points.
        await fixture.close();
        if (!cut) break;
        steps = n;
      }
      t.ok(steps > 0, 'there was a write to be cut');
      t.ok(steps < maxSteps, `an apply has fewer than ${maxSteps} writes here`);
    },
  },
  {
    claim: 'an unreachable point gives a coded error and keeps its state',
    async prove(t, make, shared) {
      const fixture = await make();
      const wanted = await stateOfB(make, shared);
      const point = await fixture.open();
      await point.apply(fixture.policyA);
      const state = await fixture.readState();
      await fixture.unreach();
      const codes = [await codeOf(() => point.inspect()), await codeOf(() => point.apply(fixture.policyB))];
      if (point.probe !== undefined) codes.push(await codeOf(() => point.probe?.()));
      t.strictSame([...new Set(codes)], ['EDW_ERR_POINT_UNREACHABLE'], 'every call gives the code');
      await fixture.mend();
      t.strictSame(await fixture.readState(), state, 'the state is as it was');
      await point.apply(fixture.policyB);
      t.strictSame(await fixture.readState(), wanted, 'the same driver goes on when the point is back');
    },
  },
  {
    claim: 'an older revision is refused, by the driver that pushed the newer one and by a new process',
    async prove(t, make) {
      const fixture = await make();
      const point = await fixture.open();
      await point.apply(fixture.policyB);
      const [state, writes] = [await fixture.readState(), fixture.writes()];
      const anew = await fixture.open();
      const codes = [await codeOf(() => point.apply(fixture.policyA)), await codeOf(() => anew.apply(fixture.policyA))];
      t.strictSame(codes, ['EDW_ERR_REVISION_OLDER', 'EDW_ERR_REVISION_OLDER'], 'both refuse');
      t.strictSame([await fixture.readState(), fixture.writes()], [state, writes], 'and write nothing');
    },
  },
  {
    claim: 'drift made behind its back is seen and repaired',
    async prove(t, make) {
      const fixture = await make();
      const point = await fixture.open();
      await point.apply(fixture.policyA);
      const state = await fixture.readState();
      await fixture.tamper();
      t.ok(!equal(await fixture.readState(), state), 'the tampering changed something, or this proves nothing');
      t.ok(drifted(await point.inspect(), fixture.policyA), 'seen');
      t.ok(drifted(await (await fixture.open()).inspect(), fixture.policyA), 'seen by a new process');
      await point.apply(fixture.policyA);
      t.strictSame(await fixture.readState(), state, 'repaired');
      t.strictSame(await point.inspect(), loaded(fixture.policyA), 'and seen to be');
    },
  },
  {
    claim: 'after a restart the point is empty or holds what it held, and apply makes it whole',
    async prove(t, make) {
      const fixture = await make();
      const point = await fixture.open();
      await point.apply(fixture.policyA);
      const [state, token] = [await fixture.readState(), await point.probe?.()];
      t.strictSame(await point.probe?.(), token, 'the probe is steady while nothing happens');
      await fixture.restart();
      const found = await point.inspect();
      t.ok(found.state === 'empty' || found.hash === fixture.policyA.hash, 'empty, or what it held');
      if (point.probe !== undefined) t.ok((await point.probe()) !== token, 'the probe tells the restart');
      await point.apply(fixture.policyA);
      t.strictSame(await fixture.readState(), state, 'whole again');
      const after = await point.probe?.();
      await point.apply(fixture.policyB);
      if (point.probe !== undefined) t.ok((await point.probe()) !== after, 'the probe tells another revision');
    },
  },
];

/** At a point that never held A. */
function stateOfB(make: MakeFixture, shared: Wanted): Promise<unknown> {
  shared.stateOfB ??= make().then(async (fixture) => {
    await (await fixture.open()).apply(fixture.policyB);
    return fixture.readState();
  });
  return shared.stateOfB;
}

/** Whether the n-th write was reached; if not, the apply was whole and there is nothing more to cut. */
async function killAtWrite(t: ContractTest, fixture: ContractFixture, n: number, wanted: unknown): Promise<boolean> {
  const { policyA, policyB } = fixture;
  await (await fixture.open()).apply(policyA);
  const dying = await fixture.open();
  const before = fixture.writes();
  fixture.failAtWrite(n);
  const code = await codeOf(() => dying.apply(policyB));
  const reached = fixture.writes() - before;
  await fixture.mend();
  if (reached < n) return false;
  t.ok(code === null || code.startsWith('EDW_ERR_'), `cut at write ${n}: a coded error, or none after the switch`);
  const heir = await fixture.open();
  // Halves are nobody's change, so no drift: the next apply clears them away, as the comparison below shows.
  const found = { ...(await heir.inspect()), unfinished: [] };
  const whole = [loaded(policyA), loaded(policyB)].findIndex((wanted) => equal(found, wanted));
  t.ok(whole !== -1, `cut at write ${n}: A or B is in force, whole and without drift`);
  t.ok(code !== null || whole === 1, `cut at write ${n}: no success is told unless B is in force`);
  await heir.apply(policyB);
  t.strictSame(await fixture.readState(), wanted, `cut at write ${n}: the next apply makes it B`);
  t.strictSame(await heir.inspect(), loaded(policyB), `cut at write ${n}: and inspect says B, with nothing left to do`);
  return true;
}

function loaded(policy: CompiledPolicy): Actual {
  return { state: 'loaded', revision: policy.revision, hash: policy.hash, drift: [], unfinished: [] };
}

function drifted(actual: Actual, policy: CompiledPolicy): boolean {
  return actual.state === 'empty' || actual.hash !== policy.hash || actual.drift.length > 0;
}

function equal(one: unknown, other: unknown): boolean {
  return isDeepStrictEqual(one, other);
}

/** The code of what was thrown, `uncoded` for any other error, null for none. */
async function codeOf(call: () => Promise<unknown> | undefined): Promise<string | null> {
  try {
    await call();
    return null;
  } catch (thrown) {
    return thrown instanceof EdgewardError && thrown.mend !== '' ? thrown.code : 'uncoded';
  }
}
