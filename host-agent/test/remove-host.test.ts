/** Taking everything of ours away: the only way in which rules of Edgeward disappear, and it touches nothing else. */
import { HOST_ADDRESSES, requireHosts, startHost } from '@edgeward/test/kit';
import t from 'tap';
import { createHostPoint, createNetfilter, createToolRun, type RunTool, removeHost } from '../driver/index.ts';
import { hostPolicy } from './fixtures/host-fixture.ts';
import { HOST_OPTIONS } from './fixtures/host-options.ts';
import { readForeign, readOwnState, writeForeign } from './fixtures/host-own-state.ts';

requireHosts(t);
// Each has a host of its own, and waits most of its time for calls that nobody answers.
t.jobs = 5;

const NOTHING = { rules: [[], []], sets: [] };
const flows = [
  { from: '203.0.113.9', to: HOST_ADDRESSES.inet, port: 'tcp/5432' },
  { from: '2001:db8:bad::9', to: HOST_ADDRESSES.inet6, port: 'tcp/5432' },
];

for (const backend of ['nft', 'legacy'] as const) {
  t.test(`everything of ours goes, and nothing of others (${backend})`, async (t) => {
    const host = await startHost(t);
    const netfilter = createNetfilter(backend, createToolRun({ where: host.where }));
    await writeForeign(host, backend);
    const foreign = await readForeign(host, backend);
    const point = createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter });
    await point.apply(hostPolicy({ revision: 1, allow: ['10.1.0.0/16', '2001:db8:1::/48'] }));
    t.strictSame(await host.call(flows), ['silent', 'silent'], 'a policy judges');
    await point.close();
    t.strictSame(await host.call(flows), ['silent', 'silent'], 'also when its driver is closed');
    const removal = await removeHost(netfilter);
    t.ok(removal.rules > 20 && removal.sets === 6 && removal.left.length === 0, JSON.stringify(removal));
    t.strictSame(await readOwnState(host, backend), NOTHING, 'nothing of ours is left');
    t.strictSame(await readForeign(host, backend), foreign, 'theirs is as it was');
    t.strictSame(await host.call(flows), ['refused', 'refused'], 'and nobody is judged');
    t.strictSame(await removeHost(netfilter), { rules: 0, sets: 0, left: [] }, 'a second time there is nothing to do');
    await point.apply(hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] }));
    t.strictSame(await host.call(flows), ['silent', 'silent'], 'it can be begun anew');
  });

  t.test(`what somebody else's rules name is emptied, told and no more (${backend})`, async (t) => {
    const host = await startHost(t);
    const netfilter = createNetfilter(backend, createToolRun({ where: host.where }));
    const point = createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter });
    await point.apply(hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] }));
    const set = /^ew4p-\S+/m.exec(await host.run('ipset', 'list', '-n'))?.[0] ?? '';
    await host.run(`iptables-${backend}`, '-N', 'THEIRS');
    await host.run(`iptables-${backend}`, '-A', 'THEIRS', '-j', 'EW-SYS');
    await host.run(`iptables-${backend}`, '-A', 'THEIRS', '-m', 'set', '--match-set', set, 'src,dst', '-j', 'RETURN');
    const { left } = await removeHost(netfilter);
    t.strictSame(left, ['chain EW-SYS, which a rule of somebody else names', `set ${set}, which is still in use`]);
    t.strictSame(await host.call(flows), ['refused', 'refused'], 'nobody is judged');
  });
}

t.test('where sets can not be asked for the rules go, and it says so', async (t) => {
  const host = await startHost(t);
  const run = createToolRun({ where: host.where });
  const cases: Record<string, RunTool> = {
    'no ipset': (call) => run(call.program === 'ipset' ? { ...call, program: 'ipset-is-missing' } : call),
    'no sets in the kernel': (call) => (call.program === 'ipset' ? run({ program: 'false', args: [] }) : run(call)),
  };
  const point = createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter: createNetfilter('nft', run) });
  for (const [name, without] of Object.entries(cases)) {
    await point.apply(hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] }));
    await point.settled();
    const { rules, sets, left } = await removeHost(createNetfilter('nft', without));
    t.ok(rules > 20 && sets === 0, name);
    t.match(left, [/^sets, if there are any \(running `(ipset|ipset-is-missing|false)/], name);
    t.strictSame(await host.call(flows), ['refused', 'refused'], `${name}: nobody is judged`);
  }
  t.match(await removeHost(createNetfilter('nft', run)), { rules: 0, sets: 4, left: [] }, 'where they can be, they go');
});
