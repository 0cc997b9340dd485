/**
 * A host behind no balancer, the whole way: a service and an agent as processes, an invite carried from one to the other,
 * a policy that real connections feel, and what was denied in the ledger, over the death of either.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { requireHosts } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { type HostSite, hostAddress, POINT, startHostSite } from './host-site.ts';
import { eventually, until } from './waiting.ts';

requireHosts(t);
// A host reports once a minute what it counted.
t.setTimeout(400_000);

const PORT = 'tcp/5432';
const CRM = '10.30.1.4';
const DEV = '10.30.1.5';
/** Denied datagrams, which nobody sends again: far more than samples are taken of. */
const FLOOD = 200;
const STRANGER = '10.66.6.6';
const ADMIN = '10.99.0.9';
/** Once it is in the ledger, whatever was denied before it is counted. */
const LAST = '10.66.6.7';

const workload = (name: string, address: string, labels: object, more: object = {}): object => ({
  ...{ kind: 'Workload', name, labels, addresses: [address], ...more },
});

/** Machines of crm that came since the beginning: each is an edit that changes no outcome here. */
let more = 0;

/** As many of crm that one of them is no large part; `dev` lets its development machine in as well. */
function documents({ dev = false, crm = true, mode = 'enforce' } = {}): object[] {
  const envs = ['prod', ...(dev ? ['dev'] : [])];
  const from = envs.map((env) => ({ workloads: `app == 'crm' && env == '${env}'` }));
  const crms = Array.from({ length: 6 + more }, (_, i) => `10.30.2.${i + 1}`);
  return [
    workload('billing-db-1', hostAddress, { app: 'billing', role: 'db' }, { point: POINT, ports: [PORT], mode }),
    ...[...crms, ...(crm ? [CRM] : [])].map((address) =>
      workload(`crm-${address}`, address, { app: 'crm', env: 'prod' }),
    ),
    workload('crm-dev', DEV, { app: 'crm', env: 'dev' }),
    { kind: 'Point', name: POINT, management: ['10.99.0.0/24'] },
    { kind: 'Policy', name: 'billing', rules: [{ id: 'crm-billing', from, to: "app == 'billing'", ports: [PORT] }] },
  ];
}

/** What became of a call from each of these addresses. */
async function calls(site: HostSite, port: string, ...from: string[]): Promise<Record<string, string>> {
  const outcomes = await site.host.call(from.map((address) => ({ from: address, to: hostAddress, port })));
  return Object.fromEntries(from.map((address, i) => [address, outcomes[i] ?? '']));
}

const inForce = (site: HostSite, revision: number): Promise<void> =>
  until(`revision ${revision} is in force`, async () => {
    const { state, appliedRevision } = await site.status();
    return state === 'current' && appliedRevision === revision;
  });

/** An edit that is in force, under a number above the one before. */
async function edit(site: HostSite, policy: Parameters<typeof documents>[0] = {}): Promise<void> {
  const { appliedRevision } = await site.status();
  await site.policy(documents(policy));
  await until('the edit is in force', async () => {
    const now = await site.status();
    return now.state === 'current' && (now.appliedRevision ?? 0) > (appliedRevision ?? 0);
  });
}

/**
 * Everything that the host counted is in the ledger, as an event or as a number with its cause. A host says what it counted once
 * a minute, and at once when its policy changes.
 */
async function addsUp(t: Test, site: HostSite, policy: Parameters<typeof documents>[0], atLeast = 0): Promise<number> {
  for (let turn = 0, last = ''; ; turn += 1) {
    more += 1;
    await edit(site, policy);
    const { denials } = (await site.agentStatus()).report;
    const { stored, uncovered } = (await site.status()).denials;
    const told = Object.values(uncovered).reduce((sum, count) => sum + count, 0);
    const events = await site.denials();
    const counted = events.reduce((sum, { count }) => sum + count, 0);
    last = `${denials.denied} denied = ${stored} in ${events.length} events + ${told} counted alone`;
    const isAll = denials.denied >= atLeast && denials.pending === 0;
    if (isAll && stored + told === denials.denied && counted === stored) {
      t.comment(last);
      return denials.denied;
    }
    if (turn === 12) throw new Error(`what was counted does not add up: ${last}, of ${atLeast} at least`);
    await sleep(2_000);
  }
}

t.test('from an invite to a denial in the ledger, over the death of the service and of the agent', async (t) => {
  const site = await startHostSite(t);
  await site.policy(documents());
  await site.host.probe().listen(PORT);
  await site.host.probe().listen('tcp/22');
  await site.service.start();

  await t.test('a host is invited, once', async (t) => {
    await until('a host that never called is away', async () => (await site.status())?.state === 'unreachable');
    t.match(await site.status(), { kind: 'host', appliedRevision: null });
    const invite = await site.atService(['hosts', 'invite', POINT]);
    t.equal(invite.code, 0, invite.err);
    const enrolled = await site.onHost(['agent', 'enrol', '-'], invite.out);
    t.match(enrolled, { code: 0, out: `This host is ${POINT}.` }, enrolled.err);
    const [again, other] = await Promise.all([
      site.onHost(['agent', 'enrol', '-'], invite.out),
      site.atService(['hosts', 'invite', 'host-2']),
    ]);
    t.match(again, { code: 3, err: 'EDW_ERR_HOST_ENROLMENT' }, 'an invite is good once');
    t.not(other.code, 0, 'nobody is invited who is not configured');
  });

  await t.test('its policy is enforced', async (t) => {
    t.match(await calls(site, PORT, STRANGER), { [STRANGER]: 'open' }, 'nothing was enforced before');
    await site.agent.start();
    await inForce(site, 1);
    t.strictSame(await calls(site, PORT, CRM, DEV, STRANGER), { [CRM]: 'open', [DEV]: 'silent', [STRANGER]: 'silent' });
    t.strictSame(await calls(site, 'tcp/22', ADMIN, STRANGER), { [ADMIN]: 'open', [STRANGER]: 'silent' });
    t.match((await site.agentStatus()).report, { state: 'applied', mode: 'enforce', nack: null });
  });

  await t.test('an edit opens, another one closes and cuts what is open', async (t) => {
    await site.policy(documents({ dev: true }));
    await inForce(site, 2);
    t.strictSame(await calls(site, PORT, CRM, DEV), { [CRM]: 'open', [DEV]: 'open' });
    const probe = site.host.probe();
    const flow = { to: hostAddress, port: PORT };
    const [kept, cut] = [await probe.connect({ ...flow, from: CRM }), await probe.connect({ ...flow, from: DEV })];
    t.strictSame([await probe.echo(kept), await probe.echo(cut)], [true, true]);
    await site.policy(documents());
    await inForce(site, 3);
    t.strictSame([await probe.echo(kept), await probe.echo(cut)], [true, false]);
    await Promise.all([probe.hangUp(kept), probe.hangUp(cut)]);
    t.strictSame(await calls(site, PORT, CRM, DEV), { [CRM]: 'open', [DEV]: 'silent' });
    await site.host.call([{ from: LAST, to: hostAddress, port: 'udp/9' }]);
  });

  await t.test('what it denied is in the ledger, with names', async (t) => {
    const found = await eventually('the denials are in the ledger', async () => {
      const events = await site.denials();
      const seen = (source: string, port: string): boolean =>
        events.some((event) => event.source === source && event.port === port);
      const first = seen(DEV, PORT) && seen(STRANGER, PORT) && seen(STRANGER, 'tcp/22');
      return first && seen(LAST, 'udp/9') ? events : null;
    });
    const [dev, closed] = found.filter(({ source }) => source === DEV);
    t.match(closed, { sourceWorkloads: ['crm-dev'], revision: 3 }, 'each under the revision that judged it');
    t.match(dev, {
      ...{ point: POINT, object: 'billing-db-1', objectLabels: { app: 'billing', role: 'db' }, verdict: 'deny' },
      ...{ sourceWorkloads: ['crm-dev'], sourceLabels: { app: 'crm', env: 'dev' }, ref: null, revision: 1 },
      ...{ reason: 'unknown-source', nearestRule: 'crm-billing', method: null, path: null },
    });
    const line = await site.atService(['denials', '--point', POINT, '--source', DEV]);
    t.match(
      line.out,
      / DENY host-1 10\.30\.1\.5\(app=crm,env=dev\) → billing-db-1 tcp\/5432 {2}unknown-source; nearest /,
    );
    const [, ref = ''] = /ref (@\d+)/.exec(line.out) ?? [];
    const why = await site.atService(['why', ref]);
    t.match(why, { code: 0, out: /\n {2}now {6}DENY 10\.30\.1\.5 / }, 'and why');
    t.ok(found.reduce((sum, { count }) => sum + count, 0) >= 3, 'each of them counts');
  });

  await t.test(
    'without its service a host goes on, and a flood is told to the last packet once it is back',
    async (t) => {
      const before = await addsUp(t, site, {});
      const { appliedRevision } = await site.status();
      await site.service.kill();
      const flood = Array.from({ length: FLOOD }, () => ({ from: STRANGER, to: hostAddress, port: 'udp/9' }));
      await site.host.call(flood);
      t.strictSame(await calls(site, PORT, CRM, STRANGER), { [CRM]: 'open', [STRANGER]: 'silent' });
      await site.policy(documents({ dev: true }));
      await site.service.start();
      await inForce(site, (appliedRevision ?? 0) + 1);
      t.match(await calls(site, PORT, DEV), { [DEV]: 'open' }, 'what was edited meanwhile is in force');
      const tried = (await addsUp(t, site, { dev: true }, before + FLOOD + 1)) - before - FLOOD;
      t.ok(tried <= 3, `${FLOOD} datagrams, and a call that is tried ${tried} times`);
      const { uncovered } = (await site.status()).denials;
      t.ok((uncovered['not-sampled'] ?? 0) > 0, 'samples are few, counts are exact');
      const said = await site.atService(['denials', '--point', POINT]);
      t.match(said.err, /^host-1: \d+ more were counted and have no record \(.*not-sampled \d+/m);
    },
  );

  await t.test('without its agent a host stays as it is, and what was denied meanwhile is counted', async (t) => {
    const before = await addsUp(t, site, { dev: true });
    const { appliedRevision } = await site.status();
    await site.agent.kill();
    t.strictSame(await calls(site, PORT, CRM, STRANGER), { [CRM]: 'open', [STRANGER]: 'silent' });
    await site.policy(documents());
    await site.agent.start();
    await inForce(site, (appliedRevision ?? 0) + 1);
    t.strictSame(await calls(site, PORT, CRM, DEV), { [CRM]: 'open', [DEV]: 'silent' });
    t.ok((await addsUp(t, site, {}, before + 2)) <= before + 6, 'and no more than that');
  });

  await t.test('the rules stay when the agent ends, and go when they are removed', async (t) => {
    const running = await site.onHost(['agent', 'remove']);
    t.equal(running.code, 75, 'not under a running agent');
    t.equal(await site.agent.stop(), 0);
    t.strictSame(await calls(site, PORT, CRM, STRANGER), { [CRM]: 'open', [STRANGER]: 'silent' });
    t.match(await site.onHost(['agent', 'remove']), { code: 0, out: /^Away: \d+ rules and \d+ sets/ });
    t.strictSame(await calls(site, PORT, CRM, STRANGER), { [CRM]: 'open', [STRANGER]: 'open' });
    const saved = await site.host.run('iptables-nft-save');
    t.notMatch(saved, 'EW-');
  });
});
