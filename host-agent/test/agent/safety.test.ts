/** What an agent refuses to enforce, on a host where it is the case. */
import { requireHosts } from '@edgeward/test/kit';
import t from 'tap';
import { hostPolicy } from '../fixtures/host-fixture.ts';
import { startAgentHost } from './agent-host.ts';

requireHosts(t);
// Each has a host of its own, and waits for most of its time.
t.jobs = 3;

const [FRIEND, STRANGER] = ['10.1.0.5', '203.0.113.9'];
const PORT = 'tcp/5432';
const to = '172.31.255.1';
const flows = [FRIEND, STRANGER].map((from) => ({ from, to, port: PORT }));

t.test('a session on tcp/22 that is open now is not cut by enforcing', async (t) => {
  const { host, service, enrol, start, until } = await startAgentHost(t);
  const probe = host.probe();
  for (const port of [PORT, 'tcp/22']) await probe.listen(port);
  await host.call([{ from: STRANGER, to, port: 'tcp/22' }]);
  const session = await probe.connect({ from: STRANGER, to, port: 'tcp/22' });
  await enrol();
  start();
  await service.offer(hostPolicy({ revision: 1, allow: [FRIEND] }));
  const { report } = await until(({ report }) => report.nack !== null, 'a refusal');
  t.match(report, { state: 'observed', mode: 'observe', nack: { revision: 1, code: 'EDW_ERR_HOST_WOULD_CUT' } });
  t.match(report.nack?.message, STRANGER, 'it names whom');
  t.ok(await probe.echo(session), 'the session lives');
  t.strictSame(await host.call(flows), ['open', 'open'], 'nothing is dropped');

  await service.offer(hostPolicy({ revision: 2, allow: [FRIEND, STRANGER], mode: 'observe' }));
  await until(({ report }) => report.applied?.revision === 2 && report.nack === null, 'an observed policy');
  t.ok(await probe.echo(session));
});

t.test('a node of Kubernetes is observed, and says so, whichever backend its chains are in', async (t) => {
  const { host, service, enrol, start, until } = await startAgentHost(t);
  await host.probe().listen(PORT);
  await host.run('iptables-legacy', '-N', 'KUBE-FORWARD');
  await enrol();
  start();
  await service.offer(hostPolicy({ revision: 1, allow: [FRIEND] }));
  const { report } = await until(({ report }) => report.nack !== null, 'a refusal');
  t.match(report, {
    state: 'observed',
    backend: 'nft',
    nack: { code: 'EDW_ERR_HOST_KUBERNETES', message: /KUBE-FORWARD/ },
  });
  t.strictSame(await host.call(flows), ['open', 'open']);
  t.match(await host.run('iptables-legacy', '-S', 'KUBE-FORWARD'), /-N KUBE-FORWARD/, 'its chains are not touched');
});

t.test(
  'an agent without an identity, or without a configuration that it understands, ends with the mend',
  async (t) => {
    const { command } = await startAgentHost(t);
    const words = [['run'], ['restore'], ['remove'], ['enrol', 'nonsense']];
    const [run, restore, remove, enrol] = await Promise.all(words.map((one) => command(...one)));
    t.match(run, { status: 78, complaint: /EDW_ERR_HOST_NOT_ENROLLED/ });
    t.match(restore, { status: 0, output: /No policy is known/ });
    t.match(remove, { status: 0, output: /nothing of Edgeward/ });
    t.match(enrol, { status: 3, complaint: /EDW_ERR_HOST_INVITE/ });
  },
);
