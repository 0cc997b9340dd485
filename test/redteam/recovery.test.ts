/**
 * After a stolen store key drove a point's numbers up, people begin a new epoch, and the point follows again: also a point
 * that knows of numbers alone, as NGINX and BIG-IP do. Store, network, follower, reconciler and driver are real.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHttpsTransport, type News, type Transport } from '@edgeward/policy-feed';
import { digestOfRoot, headOf, payloadOf, type SignedDocument, sign, signHead } from '@edgeward/policy-format';
import { createLogger, systemClock } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import { crms, openServedStore, type ServedStore, shopBundle, until } from '../../central-store/test/serving-kit.ts';
import { createReconciler, type Reconciler } from '../../enforcement-point/src/index.ts';
import { makeMemoryFixture } from '../../enforcement-point/test/fixtures/memory-point.ts';
import { createStorePolicy, type StorePolicy } from '../../sync-service/src/store/store-policy.ts';

const POINT = 'memory';
const logger = createLogger({ level: 'silent' });

interface Site {
  policy: StorePolicy;
  reconciler: Reconciler;
  /** Whoever stands between store and point serves this head. */
  between: { head: SignedDocument | null };
}

/** As the service wires them: what a point is found to hold is reported. */
async function openSite(t: Test, served: ServedStore): Promise<Site> {
  const { cert, key, ca } = await served.certificates.point(POINT);
  const real = createHttpsTransport({ url: `https://127.0.0.1:${served.store.port}`, tls: { cert, key, ca }, logger });
  const stateDir = await mkdtemp(join(tmpdir(), 'edgeward-recovery-'));
  const between: Site['between'] = { head: null };
  const point = await (await makeMemoryFixture()).open();
  const reconciler = createReconciler({ point, logger, retryMaxMs: 100, onChange: () => policy.pointChanged(POINT) });
  const policy = createStorePolicy({
    points: [POINT],
    transport: { ...real, hints: () => () => {}, waits: false, next: nextThrough(real, between) },
    pinnedRoot: served.made.signed,
    stateDir,
    service: 'site',
    pollMs: 50,
    names: { at: () => [], changed: () => {}, asked: async () => {}, close: async () => {} },
    clock: systemClock,
    logger,
    publish(_, compiled) {
      try {
        reconciler.setDesired(compiled);
      } catch {
        void policy.foundRevision(POINT, reconciler.status().appliedRevision ?? 0);
      }
    },
    observe: () => ({
      applied: reconciler.status().appliedRevision,
      state: 'current',
      nack: null,
      denials: { total: 0, sinceMs: 0 },
    }),
  });
  t.teardown(async () => {
    await policy.close();
    await reconciler.close();
    await real.close();
    await rm(stateDir, { recursive: true, force: true });
  });
  await policy.start();
  return { policy, reconciler, between };
}

function nextThrough(real: Transport, between: Site['between']): Transport['next'] {
  return async (point, known, options): Promise<News> =>
    between.head === null ? real.next(point, known, options) : { state: 'head', head: between.head };
}

/** The same state under another number: the store's key is enough for that. */
async function driveTo(served: ServedStore, { between, reconciler }: Site, revision: number): Promise<void> {
  const published = served.store.publishing.point(POINT);
  if (published === null) throw new Error('nothing is published');
  const head = headOf(payloadOf(published.signed, 'a head', 1 << 20));
  between.head = await signHead({ ...head, revision }, await served.store.folder.storeKey());
  await until(`the point is at ${revision}`, () => reconciler.status().appliedRevision === revision);
}

async function beginEpoch(served: ServedStore): Promise<void> {
  const { roots, proposals } = served.store.folder;
  const before = roots.newest();
  const root = {
    ...before,
    version: before.version + 1,
    previous: digestOfRoot(before),
    epoch: before.epoch + 1,
    issuedAt: new Date().toISOString(),
  };
  const cleo = { name: 'cleo', by: 'local' };
  const { id } = await proposals.proposeRoot(cleo, { root: await sign(root, [served.keys.cleo]), reason: 'CHG-2' });
  await proposals.publish({ name: 'eve', by: 'local' }, id);
}

async function opened(t: Test): Promise<{ served: ServedStore; site: Site }> {
  const served = await openServedStore(t);
  await served.inventory(...crms(3));
  await served.publish(shopBundle([POINT]));
  const site = await openSite(t, served);
  await until('the point has its policy', () => site.reconciler.status().appliedRevision === 1);
  return { served, site };
}

t.test('a point that was driven up follows again in a new epoch, above what it knows', async (t) => {
  const { served, site } = await opened(t);
  await driveTo(served, site, 2 ** 32 + 1);
  await driveTo(served, site, 2 ** 33 + 1);
  site.between.head = null;
  await served.inventory(...crms(4));
  await until('the store hears how far it is', () => {
    const [heard] = served.store.reports.of(POINT);
    return heard?.report.applied === 2 ** 33 + 1;
  });
  await until('the point says why it does not follow', () =>
    site.policy.followers().some(({ nack }) => nack?.code === 'EDW_ERR_HEAD_ROLLBACK'),
  );
  t.equal(site.reconciler.status().appliedRevision, 2 ** 33 + 1, 'what is in force stays');
  await beginEpoch(served);
  await until('the point follows', () => (site.reconciler.status().appliedRevision ?? 0) > 2 ** 33 + 1);
  await until('it is content', () => site.policy.followers().every(({ lastError }) => lastError === null));
  const [follower] = site.policy.followers();
  t.match(follower, { epoch: 2, nack: null });
  t.equal(site.reconciler.status().appliedRevision, follower?.revision);
  const before = follower?.deltas ?? 0;
  await served.inventory(...crms(5));
  await until('and goes on, change by change', () => (site.policy.followers()[0]?.deltas ?? 0) > before);
});

t.test('one head can not use up the numbers of a point that has a floor', async (t) => {
  const { served, site } = await opened(t);
  const published = served.store.publishing.point(POINT);
  const head = headOf(payloadOf(published?.signed ?? site.between.head ?? served.made.signed, 'a head', 1 << 20));
  const key = await served.store.folder.storeKey();
  site.between.head = await signHead({ ...head, revision: Number.MAX_SAFE_INTEGER }, key);
  await until('it is refused', () =>
    site.policy.followers().some(({ nack }) => nack?.code === 'EDW_ERR_HEAD_JUMP' && nack.stage === 'head'),
  );
  site.between.head = null;
  await served.inventory(...crms(4));
  await until('and the next honest one is taken', () => site.reconciler.status().appliedRevision === 2);
  await until('it is content', () => site.policy.followers().every(({ lastError }) => lastError === null));
  t.match(site.policy.followers(), [{ epoch: 1, revision: 2, nack: null }]);
});
