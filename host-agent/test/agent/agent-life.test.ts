/** The agent as a process on a host, against a service with real TLS and real signatures. */
import { generateSigningKey } from '@edgeward/policy-format';
import { requireHosts } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { writeIdentity } from '../../src/identity.ts';
import { hostPolicy } from '../fixtures/host-fixture.ts';
import { readState, startAgentHost } from './agent-host.ts';
import { kernelVerdicts } from './kernel-verdicts.ts';

requireHosts(t);
// Each has a host of its own, and waits for most of its time.
t.jobs = 3;

const MANY = ['10.1.0.0/16', '10.2.0.0/16'];
const [FRIEND, OTHER, STRANGER] = ['10.1.0.5', '10.2.0.5', '203.0.113.9'];
const EVERYONE = ['0.0.0.0/0'];
const PORT = 'udp/5432';
const from = (source: string) => ({ from: source, to: '172.31.255.1', port: PORT });

t.test('what the service offers is enforced, and what it must not offer changes nothing', async (t) => {
  const { host, service, enrol, start, until, stateDir } = await startAgentHost(t);
  await host.probe().listen(PORT);
  const verdicts = (): Promise<string[]> => kernelVerdicts(host, [FRIEND, OTHER, STRANGER].map(from));
  await enrol();
  const agent = start();
  await until(({ service }) => service.reachedAt !== null, 'the service is reached');
  t.strictSame(await verdicts(), ['open', 'open', 'open'], 'without a policy everything passes');

  await service.offer(hostPolicy({ revision: 5, allow: MANY }));
  const applied = await until(({ report }) => report.applied?.revision === 5, 'revision 5');
  t.match(applied.report, { state: 'applied', mode: 'enforce', nack: null, rules: /^[0-9a-f]{16}:[0-9a-f]{16}$/ });
  t.strictSame(await verdicts(), ['open', 'open', 'silent']);

  // All that is refused stands in take-over.test.ts: here it comes over the wire.
  const wrong = [
    { revision: 4, how: 'signed', code: 'EDW_ERR_HOST_POLICY_OLDER' },
    { revision: 6, how: 'unsigned', code: 'EDW_ERR_HOST_POLICY_SIGNATURE' },
    { revision: 7, how: 'garbage', code: 'EDW_ERR_HOST_POLICY_UNREADABLE' },
  ] as const;
  for (const { revision, how, code } of wrong) {
    await service.offer(hostPolicy({ revision, allow: EVERYONE }), how);
    const refused = await until(({ report }) => report.nack?.code === code, `it is refused with ${code}`);
    t.match(refused.report, { applied: { revision: 5 }, mode: 'enforce' }, `${code}: what is in force stays`);
  }
  t.strictSame(await verdicts(), ['open', 'open', 'silent']);

  await service.offer(hostPolicy({ revision: 10, allow: ['10.2.0.0/16'] }));
  await until(({ report }) => report.applied?.revision === 10 && report.nack === null, 'revision 10');
  t.strictSame(await verdicts(), ['silent', 'open', 'silent']);
  t.match(await readState(stateDir), { floor: { revision: 10 }, current: { revision: 10 }, next: null });
  const { reports } = await service.heard();
  t.ok(
    reports.some(({ applied }) => applied?.revision === 10),
    'the service was told',
  );
  t.strictSame(await agent.kill('SIGTERM'), 0);
  t.strictSame(await verdicts(), ['silent', 'open', 'silent'], 'ending the agent leaves everything in force');
});

t.test('with the service gone the host keeps enforcing, over restarts, and before any network', async (t) => {
  const { host, service, enrol, start, until, command } = await startAgentHost(t);
  await host.probe().listen(PORT);
  const verdicts = (): Promise<string[]> => kernelVerdicts(host, [FRIEND, STRANGER].map(from));
  await enrol();
  const first = start();
  await service.offer(hostPolicy({ revision: 3, allow: MANY }));
  await until(({ report }) => report.applied?.revision === 3, 'revision 3');
  await until(() => true, 'a status');
  await waitConfirmed(t, () => first.log());
  await service.down();
  t.strictSame(await verdicts(), ['open', 'silent']);
  await first.kill('SIGKILL');
  t.strictSame(await verdicts(), ['open', 'silent'], 'a killed agent leaves everything in force');

  // As after a boot: no rule is there.
  for (const program of ['iptables-nft', 'ip6tables-nft']) await host.run(program, '-F');
  for (const program of ['iptables-nft', 'ip6tables-nft']) await host.run(program, '-X');
  t.strictSame(await verdicts(), ['open', 'open']);
  t.match(await command('restore', '--json'), { status: 0, output: /"revision": ?3/ });
  t.strictSame(await verdicts(), ['open', 'silent'], 'restored without a service');

  for (const program of ['iptables-nft', 'ip6tables-nft']) await host.run(program, '-F');
  for (const program of ['iptables-nft', 'ip6tables-nft']) await host.run(program, '-X');
  const second = start();
  const alone = await until(({ report }) => report.applied?.revision === 3, 'last-known-good');
  t.strictSame(alone.service.reachedAt, null);
  t.strictSame(await verdicts(), ['open', 'silent'], 'the agent restores by itself');
  await until(({ service }) => service.error !== null, 'the absence is told');
  const [removed, restored] = await Promise.all([command('remove'), command('restore')]);
  t.match(removed, { status: 75, complaint: /EDW_ERR_STATE_IN_USE/ }, 'a running agent is not undone');
  t.match(restored, { status: 0, output: /^The agent runs/ }, 'nor done over');

  await service.up();
  await service.offer(hostPolicy({ revision: 4, allow: [STRANGER] }));
  await until(({ report }) => report.applied?.revision === 4, 'revision 4, when the service is back');
  t.strictSame(await verdicts(), ['silent', 'open']);
  t.match(await command('status'), { status: 0, output: /revision 4, enforce/ });

  await second.kill('SIGTERM');
  t.match(await command('status'), { status: 3 });
  t.match(await command('remove', '--json'), { status: 0 });
  t.strictSame(await verdicts(), ['open', 'open'], 'removed');
  t.notMatch(await host.run('iptables-nft-save'), /EW-/);
  t.match(await command('restore'), { status: 0, output: /No policy is known/ });
});

async function waitConfirmed(t: Test, log: () => string): Promise<void> {
  for (let tries = 0; tries < 200 && !log().includes('"confirmed"'); tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 50));
  t.match(log(), /"confirmed"/, 'the service was reached under the new policy');
}

t.test(
  'a host that is enrolled at a service that lost everything says what stands, and goes on from there',
  async (t) => {
    const { host, service, enrol, start, until, stateDir } = await startAgentHost(t);
    await host.probe().listen(PORT);
    const verdicts = (): Promise<string[]> => kernelVerdicts(host, [FRIEND, STRANGER].map(from));
    await enrol();
    const first = start();
    await service.offer(hostPolicy({ revision: 40, allow: MANY }));
    await until(({ report }) => report.applied?.revision === 40, 'revision 40');
    await first.kill('SIGTERM');
    const stranger = await generateSigningKey();
    await writeIdentity(stateDir, { ...(await service.identity()), signingKeys: [stranger.publicKey] });
    const second = start();
    await until(
      ({ report, service }) => service.reachedAt !== null && report.nack !== null,
      'it refuses what it has no key for',
    );
    t.strictSame(await verdicts(), ['open', 'silent'], 'what stands is not touched');
    await second.kill('SIGTERM');
    const { reports } = await service.heard();
    t.equal(reports.at(-1)?.applied?.revision, 40, 'whoever numbers policies hears of it');
    await writeIdentity(stateDir, await service.identity());
    start();
    await service.offer(hostPolicy({ revision: 41, allow: MANY }));
    await until(({ report }) => report.applied?.revision === 41, 'revision 41');
  },
);
