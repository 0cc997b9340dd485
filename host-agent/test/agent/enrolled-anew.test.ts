/** A host that was enrolled anew at a service with another signing key: what it has, and what it is offered. */
import { chown } from 'node:fs/promises';
import { generateSigningKey } from '@edgeward/policy-format';
import { HOST_ADDRESSES, requireHosts } from '@edgeward/test/kit';
import t from 'tap';
import { succeeding, writeIdentity } from '../../src/identity.ts';
import { hostPolicy } from '../fixtures/host-fixture.ts';
import { startAgentHost } from './agent-host.ts';

requireHosts(t);

const flows = [{ from: '203.0.113.9', to: HOST_ADDRESSES.inet, port: 'tcp/5432' }];

t.test('a reboot finds its last-known-good, and the former key signs nothing new', async (t) => {
  const { host, service, enrol, start, until, stateDir, command } = await startAgentHost(t);
  await enrol();
  const first = start();
  await service.offer(hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] }));
  await until(({ report }) => report.applied?.revision === 1, 'revision 1');
  await first.kill('SIGKILL');

  const [held, stranger] = [await service.identity(), await generateSigningKey()];
  const anew = { ...(await service.identity()), signingKeys: [stranger.publicKey] };
  await writeIdentity(stateDir, succeeding(anew, { ...held, formerKeys: [] }));
  for (const program of ['iptables-nft', 'ip6tables-nft'])
    for (const verb of ['-F', '-X']) await host.run(program, verb);
  await host.run('ipset', 'destroy');
  t.strictSame(await host.call(flows), ['refused'], 'after a boot the kernel has nothing');
  t.match(await command('restore'), { status: 0, output: /Revision 1 is in force \(enforce\)/ });
  t.strictSame(await host.call(flows), ['silent'], 'restored');

  await service.offer(hostPolicy({ revision: 2, allow: ['10.2.0.0/16'] }));
  start();
  const refused = await until(({ report }) => report.nack !== null, 'it refuses what the former key has signed');
  t.match(refused.report, { applied: { revision: 1 }, nack: { code: 'EDW_ERR_HOST_POLICY_SIGNATURE' } });
});

t.test("root does not run the agent in the folder of the agent's user", async (t) => {
  const { enrol, stateDir, command } = await startAgentHost(t);
  await enrol();
  await chown(stateDir, 65_534, 65_534);
  t.match(await command('run'), { status: 78, complaint: /EDW_ERR_STATE_WRITE.*user 65534.*systemctl start/s });
});
