/** What the parts of an agent tell each other: repairs reach its report, and rules that are over reach its counts. */
import { HOST_ADDRESSES, requireHosts } from '@edgeward/test/kit';
import t from 'tap';
import { createNetfilter, createToolRun } from '../../driver/index.ts';
import { readInForce } from '../../src/in-force.ts';
import { hostPolicy } from '../fixtures/host-fixture.ts';
import { startAgentHost } from './agent-host.ts';

requireHosts(t);
t.setTimeout(400_000);

const policyAt = (revision: number) => hostPolicy({ revision, allow: [`10.${revision}.0.0/16`] });
/** More of one source than are sampled. */
const CALLS = Array.from({ length: 40 }, () => ({
  from: '203.0.113.9',
  to: HOST_ADDRESSES.inet,
  port: 'udp/5999',
}));
const MAX_ROUNDS = 200;

t.test('the report has the rules of the repair, and all that was denied while policies changed', async (t) => {
  const { host, service, enrol, start, until } = await startAgentHost(t);
  const netfilter = createNetfilter('nft', createToolRun({ where: host.where }));
  await enrol();
  start();
  await service.offer(policyAt(1));
  const { report: before } = await until(({ report }) => report.applied?.revision === 1, 'revision 1');
  await host.run('iptables-nft', '-F', 'EW-SAFE');
  const { report: after } = await until(
    ({ report }) => report.repairs.count > 0 && report.rules !== before.rules,
    'the repair is reported, with other rules',
  );
  t.equal(after.rules, (await readInForce(netfilter))?.rules, 'those that stand');
  let [sent, done] = [0, false];
  const sending = (async () => {
    for (let rounds = 0; rounds < MAX_ROUNDS && !done; rounds += 1) {
      await host.call(CALLS);
      sent += CALLS.length;
    }
  })();
  for (const revision of [2, 3, 4, 5]) {
    await service.offer(policyAt(revision));
    await until(({ report }) => report.applied?.revision === revision, `revision ${revision}`);
  }
  done = true;
  await sending;
  const { report } = await until(({ report }) => report.denials.denied >= sent, 'all are counted');
  t.equal(report.denials.denied, sent, 'and none twice');
});
