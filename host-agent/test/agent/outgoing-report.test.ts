/** What the host calls itself, in the agent's status and in what its service hears. */
import { requireHosts } from '@edgeward/test/kit';
import t from 'tap';
import type { AgentStatus } from '../../src/index.ts';
import { hostPolicy } from '../fixtures/host-fixture.ts';
import { startAgentHost } from './agent-host.ts';

requireHosts(t);

/** To the peer, which answers. */
const ECHO_REQUEST = `socket(my $s, PF_INET, SOCK_RAW, 1) or die;
send($s, pack('CCnnn', 8, 0, 0xf7fd, 1, 1), 0, sockaddr_in(0, inet_aton('172.31.255.2'))) or die`;

t.test('what the host calls itself is in the status of its agent, and in its reports', async (t) => {
  const { host, service, enrol, start, until, command } = await startAgentHost(t);
  await enrol();
  start();
  await service.offer(hostPolicy({ revision: 5, allow: ['10.1.0.0/16'] }));
  await until(({ report }) => report.applied?.revision === 5, 'revision 5');
  await host.run('perl', '-MSocket', '-e', ECHO_REQUEST);
  // Counters are read before rules change.
  await service.offer(hostPolicy({ revision: 6, allow: ['10.2.0.0/16'] }));
  const begun = ({ report: { outgoing } }: AgentStatus): number => (outgoing?.tcp ?? 0) + (outgoing?.other ?? 0);
  const told = await until((status) => begun(status) > 0, 'what it called is counted');
  const { status, output } = await command('status', '--json');
  t.equal(status, 0);
  t.ok(begun(JSON.parse(output) as AgentStatus) >= begun(told), output);
  const { reports } = await service.heard();
  t.ok(reports.length > 0);
  for (const { outgoing } of reports) t.match(outgoing, { tcp: Number, udp: Number, other: Number });
});
