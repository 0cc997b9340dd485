/**
 * What may be missing on a host: programs, and parts of the kernel. They are taken away by an overlay over the folder of
 * programs that only the agent sees.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireHosts } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { type HostSite, hostAddress, POINT, startHostSite } from './host-site.ts';
import { eventually, until } from './waiting.ts';

requireHosts(t);
t.setTimeout(400_000);

const PORT = 'tcp/5432';
const [FRIEND, STRANGER] = ['10.30.1.4', '10.66.6.6'];

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

/** Words that run a program on a machine where `script` was done to its programs before. */
async function machineWhere(t: Test, script: string): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-programs-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const overlay = `mkdir -p /tmp/upper /tmp/work && mount -t overlay -o lowerdir=/usr/sbin,upperdir=/tmp/upper,workdir=/tmp/work edgeward-test /usr/sbin`;
  const lines = [
    `mount -t tmpfs edgeward-test ${folder}`,
    overlay.replaceAll('/tmp/', `${folder}/`),
    `cd /usr/sbin`,
    script,
    'cd /',
    'exec "$@"',
  ];
  return ['sh', '-ec', lines.join('\n'), 'sh'];
}

async function enrolledSite(t: Test): Promise<HostSite> {
  const site = await startHostSite(t);
  await site.policy(documents);
  await site.service.start();
  const invite = await site.atService(['hosts', 'invite', POINT]);
  const { code, err } = await site.onHost(['agent', 'enrol', '-'], invite.out);
  if (code !== 0) throw new Error(err);
  return site;
}

t.test('an agent that could not protect its host ends at its start, and says what is missing', async (t) => {
  const site = await enrolledSite(t);
  // What ipset says where the kernel has none.
  const blind = `rm ipset; printf '#!/bin/sh\\necho "ipset v7.17: Cannot open session to kernel." >&2\\nexit 1\\n' >ipset; chmod +x ipset`;
  for (const [what, script, words] of [
    ['without the program ipset', 'rm ipset', /finding ipset/],
    ['with a kernel without ipset', blind, /Cannot open session to kernel/],
    ['without iptables', 'rm *tables*', /finding iptables/],
    ['without ip6tables, where there is IPv6', 'rm ip6tables*', /finding iptables/],
  ] as const) {
    const said = await site.onHost(['agent', 'run'], '', await machineWhere(t, script));
    t.match(said, { code: 69, err: /EDW_ERR_HOST_TOOL/ }, `${what}: ${said.err}`);
    t.match(said.err, words);
  }
  t.notMatch(await site.host.run('iptables-nft-save'), /EW-/, 'nothing was written');
});

t.test('without ulogd a host enforces and counts to the packet, and says once why nobody is named', async (t) => {
  const site = await enrolledSite(t);
  await site.host.probe().listen(PORT);
  await site.agentBy(...(await machineWhere(t, 'rm ulogd'))).start();
  await until('the policy is in force', async () => (await site.status()).state === 'current');
  const flows = [FRIEND, STRANGER].map((from) => ({ from, to: hostAddress, port: PORT }));
  t.strictSame(await site.host.call(flows), ['open', 'silent']);
  const { denials } = await eventually(
    'what was denied is told as a number',
    async () => {
      const { denials } = await site.status();
      return (denials.uncovered['not-sampled'] ?? 0) > 0 ? { denials } : null;
    },
    6_000,
  );
  t.equal(denials.stored, 0, 'of which nobody has a name');
  const { report } = await site.agentStatus();
  t.match(report, { state: 'applied', denials: { sampled: 0 } });
  t.equal(report.warnings.filter((words) => /ulogd/.test(words)).length, 1, report.warnings.join('; '));
  t.match((await site.status()).hazards, [{ code: 'agent-warning' }]);
});
