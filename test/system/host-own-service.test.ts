/**
 * The sync service runs on a host that it also protects: a policy that would part others from it is not enforced, or nobody
 * could be told of a better one any more.
 */
import { requireHosts } from '@edgeward/test/kit';
import t from 'tap';
import { hostAddress, POINT, SERVICE_ADDRESS, startHostSite } from './host-site.ts';
import { until } from './waiting.ts';

requireHosts(t);
t.setTimeout(400_000);

const PORT = 'tcp/5432';
const SERVICE_PORT = 'tcp/7443';
const [CRM, OTHER_HOST, STRANGER] = ['10.30.1.4', '10.40.0.8', '10.66.6.6'];

/** `hosts`: whether those that follow the service may. */
const documents = (hosts: boolean): object[] => [
  {
    ...{ kind: 'Workload', name: 'sync-1', labels: { app: 'edgeward' }, addresses: [hostAddress] },
    ...{ point: POINT, ports: [PORT, SERVICE_PORT], mode: 'enforce' },
  },
  { kind: 'Point', name: POINT, management: ['10.99.0.0/24'] },
  {
    ...{ kind: 'Policy', name: 'edgeward' },
    rules: [
      { id: 'crm', from: [{ cidr: '10.30.0.0/16' }], to: "app == 'edgeward'", ports: [PORT] },
      ...(hosts
        ? [{ id: 'hosts', from: [{ cidr: '10.40.0.0/16' }], to: "app == 'edgeward'", ports: [SERVICE_PORT] }]
        : []),
    ],
  },
];

t.test(
  'a policy that would part other hosts from a service on this one is observed until they may reach it',
  async (t) => {
    const site = await startHostSite(t, { onHost: true });
    const probe = site.host.probe();
    await probe.listen(PORT);
    await site.policy(documents(false));
    await site.service.start();
    const invite = await site.atService(['hosts', 'invite', POINT]);
    t.match(await site.onHost(['agent', 'enrol', '-'], invite.out), { code: 0 }, invite.err);
    const call = (...from: string[]): Promise<string[]> =>
      site.host.call(from.map((address) => ({ from: address, to: hostAddress, port: PORT })));
    t.strictSame(await call(CRM, STRANGER, OTHER_HOST), ['open', 'open', 'open'], 'nothing is enforced yet');
    const other = await probe.connect({ from: OTHER_HOST, to: SERVICE_ADDRESS, port: SERVICE_PORT });
    await site.agent.start();
    await until('the agent has judged', async () => (await site.agentStatus()).report.applied !== null);
    const { report } = await site.agentStatus();
    t.match(report, { state: 'observed', mode: 'observe', nack: { code: 'EDW_ERR_HOST_WOULD_CUT' } });
    t.match(report.nack?.message, /7443/, 'it says from what');
    t.strictSame(await call(CRM, STRANGER), ['open', 'open'], 'nothing is dropped');
    t.match(await site.status(), {
      objects: { enforce: 0, observe: 1 },
      lastError: { code: 'EDW_ERR_HOST_WOULD_CUT' },
    });
    await probe.hangUp(other);

    await site.policy(documents(true));
    await until('the better policy is enforced', async () => (await site.status()).state === 'current');
    await until('the agent says so', async () => (await site.agentStatus()).report.mode === 'enforce');
    t.match((await site.agentStatus()).report, { state: 'applied', nack: null });
    t.strictSame(await call(CRM, STRANGER), ['open', 'silent']);
    const reached = await probe.connect({ from: OTHER_HOST, to: SERVICE_ADDRESS, port: SERVICE_PORT });
    await probe.hangUp(reached);
    t.pass('and other hosts reach the service');
  },
);
