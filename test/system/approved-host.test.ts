/**
 * A host behind no balancer whose policy comes from a central store, as a company has it: two approve what a third person
 * proposed, a service follows the store, an agent follows the service and verifies what people signed, and real connections
 * feel it. Then store and service go away, one after the other, a thief has the service, and the host keeps what it has.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PointReport } from '@edgeward/sync-service';
import { requireHosts } from '@edgeward/test/kit';
import t from 'tap';
import { FOLLOWING, makeApprovedStore } from './approved-store.ts';
import { type HostSite, hostAddress, POINT, startHostSite } from './host-site.ts';
import { eventually, until } from './waiting.ts';

requireHosts(t);
// A grant ends while it runs.
t.setTimeout(400_000);

const PORT = 'tcp/5432';
const CRM = '10.30.1.4';
const DEV = '10.30.1.5';
/** Let in by the first version and by no other. */
const PARTNER = '10.31.0.9';
/** Let in by the second version, and only for a while. */
const VISITOR = '10.31.0.10';
const STRANGER = '10.66.6.6';
/** Asks once, while nobody listens to the host. */
const LATE = '10.66.6.7';
/** Longer than any pause in here: what is waited for is an event, not a time. */
const ATTEMPTS = 6_000;
const WAITING = 'edgeward_host_long_polls';

const DATABASE = { kind: 'Workload', name: 'billing-db-1', labels: { app: 'billing', role: 'db' } };

/** What people sign. Their second version takes the partner away. */
function documents(visitUntilMs: number | null = null): object[] {
  const rule = (id: string, from: object, more: object = {}): object => ({
    ...{ id, from: [from], to: "app == 'billing'", ports: [PORT], ...more },
  });
  const crm = { workloads: "app == 'crm' && env == 'prod'", within: ['10.30.0.0/16'], max: 50 };
  const second =
    visitUntilMs === null
      ? rule('partner', { cidr: `${PARTNER}/32` })
      : rule('visit', { cidr: `${VISITOR}/32` }, { until: new Date(visitUntilMs).toISOString() });
  return [
    { ...DATABASE, addresses: [], point: POINT, ports: [PORT], mode: 'enforce' },
    { kind: 'Point', name: POINT, management: ['10.99.0.0/24'] },
    { kind: 'Policy', name: 'billing', rules: [rule('crm-billing', crm), second] },
  ];
}

/** What a thief of the service would have the host believe. */
function openToAll(): object[] {
  const rule = { id: 'everybody', from: [{ any: true }], to: "app == 'billing'" };
  const [database = {}, managed = {}] = documents();
  return [database, managed, { kind: 'Policy', name: 'theirs', rules: [rule] }];
}

/** What machines say, and nobody signs. Of what they say of the host, nothing but where it is counts. */
function machines(devEnv: string): object[] {
  const workload = (name: string, address: string, env: string): object => ({
    ...{ kind: 'Workload', name, labels: { app: 'crm', env }, addresses: [address] },
  });
  return [
    { ...DATABASE, addresses: [hostAddress], point: POINT, mode: 'off' },
    workload('crm-1', CRM, 'prod'),
    workload('crm-2', DEV, devEnv),
    ...[3, 4, 5].map((i) => workload(`crm-${i}`, `10.30.2.${i}`, 'prod')),
  ];
}

/** What became of a call from each of these addresses. */
async function calls(site: HostSite, ...from: string[]): Promise<Record<string, string>> {
  const outcomes = await site.host.call(from.map((address) => ({ from: address, to: hostAddress, port: PORT })));
  return Object.fromEntries(from.map((address, i) => [address, outcomes[i] ?? '']));
}

/** In force on the host, and known to be at the service. */
const settled = (
  site: HostSite,
  what: string,
  holds: (report: PointReport) => boolean | Promise<boolean>,
): Promise<PointReport> =>
  eventually(
    what,
    async () => {
      const report = await site.status();
      return report.state === 'current' && (await holds(report)) ? report : null;
    },
    ATTEMPTS,
  );

const ofVersion =
  (version: number) =>
  ({ store }: PointReport): boolean =>
    store?.appliedVersion === version;

/** What judges packets on the host, as its kernel was told. */
async function standing(site: HostSite): Promise<object> {
  const { applied, rules, nack } = (await site.agentStatus()).report;
  return { applied, rules, nack };
}

t.test('a host whose policy people approve, over the absence of the store and of the service', async (t) => {
  const site = await startHostSite(t, {
    service: FOLLOWING,
    agent: (folder) => ({ rootFile: join(folder, 'following', 'root.json') }),
  });
  const store = await makeApprovedStore(site);
  await store.inventory(machines('dev'));
  const probe = site.host.probe();
  await probe.listen(PORT);
  await store.process.start();
  await site.service.start();

  let firstTookMs = 0;
  await t.test('what one proposed and too few approved reaches no host', async (t) => {
    const { policy } = await eventually('the store has answered', async () => {
      const status = await site.serviceStatus();
      return status.policy.errors.length > 0 ? status : null;
    });
    t.match(policy, { state: 'none', directory: null, errors: [{ code: 'EDW_ERR_STORE_NO_POINT' }] });
    const invite = await site.atService(['hosts', 'invite', POINT]);
    t.match(await site.onHost(['agent', 'enrol', '-'], invite.out), { code: 0 }, invite.err);
    await site.agent.start();
    const startedMs = Date.now();
    await site.policy(documents());
    const id = await store.propose('CHG-1: billing');
    await store.approve(id, 'ben');
    t.match(await store.as('ben', ['publish', id]), { code: 3, err: /EDW_ERR_APPROVAL_TOO_FEW/ });
    await store.approve(id, 'cyn');
    t.match(await calls(site, STRANGER), { [STRANGER]: 'open' }, 'approved is not published');
    t.match((await site.agentStatus()).report, { applied: null, state: 'no-policy' });
    t.match(await store.as('ben', ['publish', id]), { code: 0 });
    await settled(site, 'version 1 is in force', ofVersion(1));
    firstTookMs = Date.now() - startedMs;
  });
  // Everything below stands on version 1, and would wait for it in vain.
  if (!t.passing()) return;

  await t.test('what two approved and one published is enforced, and the store hears of it', async (t) => {
    t.strictSame(await calls(site, CRM, DEV, PARTNER, STRANGER), {
      ...{ [CRM]: 'open', [DEV]: 'silent', [PARTNER]: 'open', [STRANGER]: 'silent' },
    });
    const report = await settled(site, 'nothing is to be looked after', ({ hazards }) => hazards.length === 0);
    t.match(report, { kind: 'host', objects: { enforce: 1 }, store: { version: 1, stale: false } });
    await until('the agent says it too', async () => (await site.agentStatus()).report.approvals === 'verified');
    await until('the store has heard', async () => {
      const { out } = await store.as('ada', ['status', '--json']);
      type Heard = { points: { point: string; reports: { report: { applied: number; state: string } }[] }[] };
      const heard = (JSON.parse(out) as Heard).points.find(({ point }) => point === POINT)?.reports[0]?.report;
      return heard?.applied === report.appliedRevision && heard?.state === 'current';
    });
  });

  await t.test('a machine that leaves its group is cut at its next packet, and nobody has to approve it', async (t) => {
    await store.inventory(machines('prod'));
    await settled(site, 'crm-2 is let in', async () => (await calls(site, DEV))[DEV] === 'open');
    const [kept, cut] = await Promise.all(
      [CRM, DEV].map((from) => probe.connect({ from, to: hostAddress, port: PORT })),
    );
    const { appliedRevision } = await site.status();
    await store.inventory(machines('dev'));
    await settled(site, 'crm-2 is out', (now) => (now.appliedRevision ?? 0) > (appliedRevision ?? 0));
    t.strictSame([await probe.echo(kept ?? 0), await probe.echo(cut ?? 0)], [true, false]);
    await Promise.all([probe.hangUp(kept ?? 0), probe.hangUp(cut ?? 0)]);
    t.ok(ofVersion(1)(await site.status()), 'under the version that was approved');
  });

  let visitUntilMs = 0;
  let visit = 0;
  let grantedHash: string | null = null;
  await t.test('who is revoked is cut at the next packet, and others live on', async (t) => {
    const [kept, cut] = await Promise.all(
      [CRM, PARTNER].map((from) => probe.connect({ from, to: hostAddress, port: PORT })),
    );
    t.strictSame([await probe.echo(kept ?? 0), await probe.echo(cut ?? 0)], [true, true]);
    // Long enough to be published, however slow this machine is.
    visitUntilMs = Date.now() + 5_000 + 2 * firstTookMs;
    await site.policy(documents(visitUntilMs));
    await store.publish('CHG-2: the partner goes, a visitor comes');
    ({ appliedHash: grantedHash } = await settled(site, 'version 2 is in force', ofVersion(2)));
    t.strictSame([await probe.echo(kept ?? 0), await probe.echo(cut ?? 0)], [true, false]);
    await Promise.all([probe.hangUp(kept ?? 0), probe.hangUp(cut ?? 0)]);
    t.strictSame(await calls(site, CRM, PARTNER, VISITOR), { [CRM]: 'open', [PARTNER]: 'silent', [VISITOR]: 'open' });
    visit = await probe.connect({ from: VISITOR, to: hostAddress, port: PORT });
    t.equal(await probe.echo(visit), true);
  });

  await t.test('a denial is listed under the revision of the store, with the names of its inventory', async (t) => {
    const { appliedRevision: revision, store: followed } = await site.status();
    t.equal(followed?.revision, revision, 'the store numbers, and nobody else');
    // Denied before too. What was read while the names changed has those of either moment; these are long settled.
    t.strictSame(await calls(site, DEV), { [DEV]: 'silent' });
    type Listed = { revision: number };
    const listed = async (source: string): Promise<Listed[]> => {
      const { out } = await site.atService(['denials', '--point', POINT, '--source', source, '--json']);
      return out
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Listed);
    };
    const under = (source: string): Promise<Listed> =>
      eventually(`the denial of ${source} is listed`, async () => {
        return (await listed(source)).find((it) => it.revision === revision) ?? null;
      });
    t.match(await under(PARTNER), {
      ...{ point: POINT, object: 'billing-db-1', objectLabels: { app: 'billing', role: 'db' }, verdict: 'deny' },
      ...{ source: PARTNER, port: PORT, reason: 'unknown-source', rule: null },
    });
    t.match(await under(DEV), { sourceWorkloads: ['crm-2'], sourceLabels: { app: 'crm', env: 'dev' } });
    const earlier = (await listed(DEV)).filter((it) => it.revision < (revision ?? 0));
    t.not(earlier.length, 0, 'each under the one that judged it');
  });

  await t.test('the store is killed: service and host go on', async (t) => {
    await store.process.kill();
    const { policy } = await eventually('the loss is noticed', async () => {
      const status = await site.serviceStatus();
      return status.policy.state === 'last-known-good' ? status : null;
    });
    t.match(policy.errors, [{ code: 'EDW_ERR_STORE_UNREACHABLE' }]);
    t.match(await site.status(), { state: 'current', store: { version: 2, appliedVersion: 2 } });
    t.strictSame(await calls(site, CRM, PARTNER), { [CRM]: 'open', [PARTNER]: 'silent' });
  });

  await t.test(
    'a thief of the service offers what nobody approved: refused and named, and what is in force stays',
    async (t) => {
      const before = (await site.agentStatus()).report;
      await site.service.kill();
      const file = join(site.folder, 'edgeward.yaml');
      const honest = await readFile(file, 'utf8');
      // The same keys, and a policy of the thief's own in place of the store's.
      await writeFile(
        file,
        JSON.stringify({ ...(JSON.parse(honest) as object), store: undefined, policies: 'policies' }),
      );
      await site.policy(openToAll());
      await site.service.start();
      const { report } = await eventually(
        'the offer is refused',
        async () => {
          const status = await site.agentStatus();
          const { revision: offered = 0, code } = status.report.nack ?? {};
          // Before it has heard what the host holds, the thief numbers from 1, and that is refused as older.
          const isNewer = offered > (before.applied?.revision ?? 0);
          return isNewer && code === 'EDW_ERR_HOST_NO_EVIDENCE' ? status : null;
        },
        ATTEMPTS,
      );
      t.match(report, {
        ...{ state: 'refused', approvals: 'verified', applied: { revision: before.applied?.revision } },
      });
      await eventually(
        'the service hears of it',
        async () => ((await site.status()).lastError?.code === 'EDW_ERR_HOST_NO_EVIDENCE' ? true : null),
        ATTEMPTS,
      );
      t.strictSame(await calls(site, CRM, PARTNER), { [CRM]: 'open', [PARTNER]: 'silent' });
      await site.service.kill();
      await writeFile(file, honest);
    },
  );

  await t.test(
    'a service that starts without its store gives the host nothing older, and ends what ends',
    async (t) => {
      const before = (await site.agentStatus()).report.applied;
      t.strictSame(await calls(site, CRM, PARTNER), { [CRM]: 'open', [PARTNER]: 'silent' });
      await site.service.start();
      const { policy } = await eventually('it goes on with what it knew', async () => {
        const status = await site.serviceStatus();
        return status.policy.state === 'none' ? null : status;
      });
      t.match(policy, { state: 'last-known-good', revision: before?.revision });
      const report = await settled(site, 'the grant is over', ({ appliedHash }) => appliedHash !== grantedHash);
      t.ok(Date.now() >= visitUntilMs, 'and not a moment earlier');
      t.equal(report.appliedRevision, before?.revision, 'nobody numbered it anew');
      t.ok(ofVersion(2)(report));
      t.equal(await probe.echo(visit), false, 'the visitor is cut');
      t.strictSame(await calls(site, CRM, PARTNER, VISITOR), {
        ...{ [CRM]: 'open', [PARTNER]: 'silent', [VISITOR]: 'silent' },
      });
      await until('the agent says it too', async () => {
        const { state, nack } = (await site.agentStatus()).report;
        return state === 'applied' && nack === null;
      });
      await probe.hangUp(visit);
    },
  );

  await t.test('a service that has lost what it knew of its store changes nothing on the host', async (t) => {
    const before = await standing(site);
    await site.service.kill();
    await rm(join(site.folder, 'state', 'store'), { recursive: true });
    await site.service.start();
    await eventually('the host asks', async () => ((await site.metric(WAITING)) === 1 ? true : null), ATTEMPTS);
    t.match(await site.serviceStatus(), { policy: { state: 'none', revision: 0 } });
    t.strictSame(await calls(site, CRM, PARTNER, VISITOR, LATE), {
      ...{ [CRM]: 'open', [PARTNER]: 'silent', [VISITOR]: 'silent', [LATE]: 'silent' },
    });
    t.strictSame(await standing(site), before);
  });

  await t.test('the store is back: nothing is written, what was denied is told, and what is new arrives', async (t) => {
    const before = await standing(site);
    await store.process.start();
    await until('the store is followed', async () => (await site.serviceStatus()).policy.state === 'current');
    await eventually('the host asks', async () => ((await site.metric(WAITING)) === 1 ? true : null), ATTEMPTS);
    t.strictSame(await standing(site), before, 'the same again is no change');
    await store.inventory(machines('prod'));
    await settled(site, 'crm-2 is let in', async () => (await calls(site, DEV))[DEV] === 'open');
    t.match(await calls(site, PARTNER), { [PARTNER]: 'silent' });
    const isTold = async (): Promise<true | null> =>
      (await site.denials()).some(({ source, reason }) => source === LATE && reason === 'unknown-source') || null;
    await eventually('what was denied meanwhile is in the ledger', isTold, ATTEMPTS);
  });
});
