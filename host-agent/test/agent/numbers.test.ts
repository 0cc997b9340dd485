/** A policy that only got another number, as the host takes it over: what is written then, on real rules. */
import { requireHosts, startHost } from '@edgeward/test/kit';
import t from 'tap';
import { type Backend, createHostPoint, createNetfilter, createToolRun } from '../../driver/index.ts';
import { hostPolicy } from '../fixtures/host-fixture.ts';
import { HOST_OPTIONS } from '../fixtures/host-options.ts';

requireHosts(t);

const FAMILIES = ['iptables', 'ip6tables'];

/** What the kernel itself says and hears over IPv6 goes by these at any moment. */
const OF_NEIGHBOURS = / -A (INPUT|OUTPUT|EW-IN|EW-OUT|EW-SYS) |^:(INPUT|OUTPUT) /;

for (const backend of ['nft', 'legacy'] satisfies Backend[])
  t.test(`of rules and sets nothing is written but what they say of themselves: ${backend}`, async (t) => {
    const host = await startHost(t);
    const tools = createToolRun({ where: host.where });
    const written: string[] = [];
    const netfilter = createNetfilter(backend, (call) => {
      if (!call.program.endsWith('restore') && call.args[0] !== 'restore') return tools(call);
      const input = [...(call.input ?? [])];
      written.push(input.join(''));
      return tools({ ...call, input });
    });
    const point = createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter });
    t.teardown(() => point.close());
    const stands = async (): Promise<string[]> => {
      const rules = await Promise.all(FAMILIES.map((program) => host.run(`${program}-${backend}-save`, '-c')));
      const lines = [...rules, await host.run('ipset', 'save')].join('\n').split('\n');
      return lines
        .filter((line) => !line.startsWith('#') && !line.includes('-A EW-META '))
        .map((line) => (OF_NEIGHBOURS.test(line) ? line.replace(/\[\d+:\d+\]/, '') : line))
        .sort();
    };
    const policy = hostPolicy({ revision: 1, allow: ['10.1.0.0/16', '2001:db8:1::/48'] });
    await point.apply(policy);
    await point.settled();
    const before = await stands();
    for (const revision of [2, 3, 40]) {
      written.length = 0;
      await point.apply({ ...policy, revision });
      await point.settled();
      const lines = written.flatMap((text) => text.split('\n'));
      const said = lines.filter((line) => !/^(\*filter|COMMIT|:EW-META - \[0:0\])?$/.test(line));
      t.equal(written.length, FAMILIES.length, 'one transaction for each family');
      t.equal(said.length, FAMILIES.length);
      for (const line of said)
        t.match(line, new RegExp(`^-A EW-META -m comment --comment "?ew1:${revision}:${policy.hash}:`));
      t.strictSame(await stands(), before, 'counters, generation and members are as they were');
      t.match(await point.inspect(), { revision, hash: policy.hash, drift: [], unfinished: [] });
    }
  });
