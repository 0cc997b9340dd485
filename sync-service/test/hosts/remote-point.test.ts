/** A host as a point: what it reported is what it holds, by a clock of the test and over real TLS. */
import { createReconciler, type PointStatus, type Reconciler } from '@edgeward/enforcement-point';
import { type HostReport, STALE_AFTER_MS } from '@edgeward/host-agent/protocol';
import type { CompiledPolicy } from '@edgeward/policy';
import { createLogger } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import { hostHazards, hostStatus } from '../../src/hosts/host-status.ts';
import { createRemotePoint } from '../../src/hosts/remote-point.ts';
import { type Calling, type CallingHost, calling, policyFor } from '../fixtures/calling.ts';

interface Kept extends Calling {
  one: CallingHost;
  reconciler: Reconciler;
  /** As the service does it. */
  desire(policy: CompiledPolicy): void;
  /** Lets what is under way come to rest, over half a second of probes. */
  settled(): Promise<PointStatus>;
  heldNow(policy: CompiledPolicy, more?: Partial<HostReport>): Promise<void>;
}

async function kept(t: Test): Promise<Kept> {
  const stage = await calling(t);
  const { clock, shelf, reports } = stage;
  const one = await stage.host('host-1');
  const point = createRemotePoint({ name: 'host-1', shelf, reports });
  const logger = createLogger({ level: 'silent' });
  const { now, after } = clock;
  const reconciler = createReconciler({ point, logger, onDrift: 'report', now, after, random: () => 0.5 });
  t.teardown(() => {
    reports.close();
    return reconciler.close();
  });
  return {
    ...stage,
    ...{ one, reconciler },
    desire(policy) {
      reconciler.setDesired(policy);
      shelf.put(policy);
    },
    async settled() {
      await clock.advance(500);
      await clock.rest();
      return reconciler.status();
    },
    async heldNow({ revision, hash }, more = {}) {
      await one.report({ applied: { revision, hash }, state: 'applied', mode: 'enforce', ...more });
    },
  };
}

t.test('a host that never called is unreachable, and finds its policy when it calls', async (t) => {
  const { desire, settled, one, shelf, heldNow, clock } = await kept(t);
  const policy = policyFor('host-1', 1);
  desire(policy);
  t.match(await settled(), {
    state: 'unreachable',
    appliedRevision: null,
    lastError: { code: 'EDW_ERR_POINT_UNREACHABLE' },
  });
  t.equal((await one.policy()).status, 200, 'it lies there before the host has said a word');
  await one.report();
  t.match(await settled(), { state: 'applying', appliedRevision: null }, 'it waits for the word of the host');
  await heldNow(policy);
  t.match(await settled(), { state: 'current', appliedRevision: 1, lastError: null });
  t.equal(shelf.revisionOf('host-1'), 1);
  await clock.advance(60_000);
  t.match(await settled(), { state: 'current' }, 'silence of a minute is no silence');
});

t.test('a policy is applied when the host says so, and late is not never', async (t) => {
  const { desire, settled, heldNow, clock } = await kept(t);
  await heldNow(policyFor('host-1', 1));
  desire(policyFor('host-1', 1));
  t.match(await settled(), { state: 'current', appliedRevision: 1 });
  desire(policyFor('host-1', 2, '10.30.1.5/32'));
  t.match(await settled(), { state: 'applying', desiredRevision: 2, appliedRevision: 1 });
  await clock.advance(5_000);
  t.match(await settled(), { lastError: { code: 'EDW_ERR_POINT_UNREACHABLE' } }, 'no word in five seconds');
  await heldNow(policyFor('host-1', 2, '10.30.1.5/32'));
  await clock.advance(30_000);
  t.match(await settled(), { state: 'current', appliedRevision: 2, lastError: null }, 'found at the next look');
});

t.test('after three missed reports, each as late as it may be, a host is stale; one report heals it', async (t) => {
  const { desire, settled, heldNow, clock, reports } = await kept(t);
  const policy = policyFor('host-1', 1);
  await heldNow(policy);
  desire(policy);
  await settled();
  const heardAtMs = reports.of('host-1')?.heardAtMs ?? 0;
  await clock.advance(STALE_AFTER_MS - (clock.now() - heardAtMs) - 1);
  t.notOk(reports.isStale('host-1'), 'not a millisecond earlier');
  t.equal((await settled()).state, 'unreachable');
  t.match(hostStatus('host-1', reports), { stale: true, heardAtMs });
  await heldNow(policy);
  t.match(await settled(), { state: 'current', appliedRevision: 1 });
  t.match(hostStatus('host-1', reports), { stale: false });
});

t.test('what a host refuses has its code; it keeps what it had', async (t) => {
  const { desire, settled, heldNow, clock } = await kept(t);
  const [before, after] = [policyFor('host-1', 1), policyFor('host-1', 2, '10.30.1.5/32')];
  await heldNow(before);
  desire(before);
  await settled();
  desire(after);
  await settled();
  const nack = { revision: 2, code: 'EDW_ERR_HOST_ROLLED_BACK', message: 'the service was gone right after' };
  await heldNow(before, { state: 'rolled-back', nack });
  t.match(await settled(), { state: 'behind', appliedRevision: 1, lastError: { code: nack.code } });
  await clock.advance(120_000);
  t.match(await settled(), { state: 'behind', lastError: { code: nack.code } }, 'and it goes on saying so');
  const mended = policyFor('host-1', 3, '10.30.1.6/32');
  desire(mended);
  await settled();
  await heldNow(mended, { nack });
  t.match(
    await settled(),
    { state: 'current', appliedRevision: 3 },
    'a word on an older revision says nothing of this one',
  );
});

t.test('a host that only observes what is to be enforced is never current', async (t) => {
  const { desire, settled, one, clock, reports } = await kept(t);
  const policy = policyFor('host-1', 1);
  desire(policy);
  await one.report();
  await settled();
  const nack = { revision: 1, code: 'EDW_ERR_HOST_WOULD_CUT', message: 'a session from 192.0.2.1 would be cut' };
  const applied = { revision: 1, hash: policy.hash };
  await one.report({ applied, state: 'observed', mode: 'observe', nack });
  t.match(await settled(), { state: 'behind', lastError: { code: nack.code } });
  await clock.advance(90_000);
  t.match(await settled(), { state: 'behind', lastError: { code: nack.code } }, 'also at later looks');
  const [hazard] = hostHazards(
    'host-1',
    hostStatus('host-1', reports),
    { desired: policy, isApproved: false },
    clock.now(),
  );
  t.match(hazard, { code: 'only-observed', words: /would be cut/ });
});

t.test('drift, a host that was made anew, and one that is ahead', async (t) => {
  const { desire, settled, one, heldNow, clock } = await kept(t);
  const policy = policyFor('host-1', 4);
  await heldNow(policy);
  desire(policy);
  await settled();
  await heldNow(policy, { drift: ['the jump from INPUT is gone'] });
  t.match(await settled(), { state: 'behind', drift: { count: 1, last: { action: 'report' } } });
  await clock.advance(120_000);
  t.match(await settled(), { state: 'behind', drift: { last: { changes: ['the jump from INPUT is gone'] } } });
  await heldNow(policy, { state: 'contended' });
  t.match(await settled(), { state: 'behind', drift: { last: { changes: ['somebody undoes every repair'] } } });
  await heldNow(policy);
  t.match(await settled(), { state: 'current' });
  await one.report({ startedAt: '2026-11-23T11:00:00.000Z' });
  t.match(await settled(), { state: 'applying', refills: 1 }, 'made anew, it is filled again');
  await heldNow({ ...policy, revision: 9 });
  await clock.advance(30_000);
  t.match(await settled(), { appliedRevision: 9 }, 'whoever numbers revisions is told of a higher one');
});

t.test('what stands in the way of enforcement is told in words', async (t) => {
  const { one, reports, clock } = await kept(t);
  const managed = policyFor('host-1', 1);
  const codes = (desired: CompiledPolicy | null, isApproved = false): string[] =>
    hostHazards('host-1', hostStatus('host-1', reports), { desired, isApproved }, clock.now()).map(
      ({ object, code }) => `${object} ${code}`,
    );
  t.strictSame(codes(managed), [], 'nothing is known');
  const isoIn = (ms: number): string => new Date(clock.now() + ms).toISOString();
  await one.report({ mode: 'observe' });
  t.strictSame(codes(managed), ['host-1 only-observed']);
  t.strictSame(codes(null), []);
  await one.report({ clock: isoIn(-60_000), certificateEnds: isoIn(86_400_000), warnings: ['no ulogd'] });
  t.strictSame(codes(managed), ['host-1 clock-skew', 'host-1 certificate-ends', 'host-1 agent-warning']);
  await one.report({ state: 'contended', certificateEnds: isoIn(-1) });
  t.strictSame(codes(managed), ['host-1 contended', 'host-1 certificate-ends']);
});
