/**
 * Another firewall is loaded anew on a host that an agent keeps, as services of other firewalls do when they start: the host is
 * as it was, theirs stands beside it, and where the service runs it is said who did it.
 */
import { requireHosts } from '@edgeward/test/kit';
import t from 'tap';
import { hostAddress, POINT, startHostSite } from './host-site.ts';
import { eventually, until } from './waiting.ts';

requireHosts(t);
t.setTimeout(400_000);

const PORT = 'tcp/5432';
const [CRM, STRANGER] = ['10.30.1.4', '10.66.6.6'];

const documents = [
  {
    ...{ kind: 'Workload', name: 'billing-db-1', labels: { app: 'billing' }, addresses: [hostAddress] },
    ...{ point: POINT, ports: [PORT], mode: 'enforce' },
  },
  { kind: 'Point', name: POINT, management: ['10.99.0.0/24'] },
  {
    ...{ kind: 'Policy', name: 'billing' },
    rules: [{ id: 'crm', from: [{ cidr: '10.30.0.0/16' }], to: "app == 'billing'", ports: [PORT] }],
  },
];

/** As nftables.service has it, and as iptables-persistent does. */
const RELOADS = [
  {
    name: 'nft -f with a flush',
    script: `printf 'flush ruleset\\ntable inet theirs { chain input { type filter hook input priority 10; }; }\\n' | nft -f -`,
    by: /^nft \(\d+\)$/,
    theirs: ['nft', 'list', 'table', 'inet', 'theirs'],
  },
  {
    name: 'iptables-restore of a file',
    script: `printf '*filter\\n:INPUT ACCEPT [0:0]\\n:FORWARD ACCEPT [0:0]\\n:OUTPUT ACCEPT [0:0]\\n:THEIRS - [0:0]\\n-A INPUT -j THEIRS\\nCOMMIT\\n' | iptables-nft-restore`,
    by: /^iptables-nft-re\S* \(\d+\)$/,
    theirs: ['iptables-nft', '-S', 'THEIRS'],
  },
] as const;

t.test('a firewall that is loaded anew opens a host for a moment at most, and is named', async (t) => {
  const site = await startHostSite(t);
  const probe = site.host.probe();
  await probe.listen(PORT);
  await site.policy(documents);
  await site.service.start();
  const invite = await site.atService(['hosts', 'invite', POINT]);
  t.match(await site.onHost(['agent', 'enrol', '-'], invite.out), { code: 0 }, invite.err);
  await site.agent.start();
  await until('the policy is in force', async () => (await site.status()).state === 'current');
  const call = (...from: string[]): Promise<string[]> =>
    site.host.call(from.map((address) => ({ from: address, to: hostAddress, port: PORT })));
  t.strictSame(await call(CRM, STRANGER), ['open', 'silent']);
  const live = await probe.connect({ from: CRM, to: hostAddress, port: PORT });
  const { applied } = (await site.agentStatus()).report;

  for (const [at, { name, script, by, theirs }] of RELOADS.entries()) {
    await site.host.run('sh', '-c', script);
    const repairs = await eventually(`${name}: the service hears of the repair`, async () => {
      const { report } = (await site.status()).host ?? {};
      return report !== undefined && report !== null && report.repairs.count > at ? report.repairs : null;
    });
    t.match(repairs.last, { words: /our rules are gone/, process: by }, name);
    t.strictSame(await call(CRM, STRANGER), ['open', 'silent'], `${name}: the policy judges`);
    t.equal(await probe.echo(live), true, `${name}: who is let in lives on`);
    t.not(await site.host.run(...theirs), '', `${name}: theirs stands`);
    const report = (await site.agentStatus()).report;
    t.match(report, { applied, state: 'applied', drift: [] }, name);
  }
  const { out } = await site.atService(['status']);
  t.match(out, /iptables-nft-re/, 'and so it says where people look');
});
