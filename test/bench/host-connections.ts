/**
 * New connections per second to a host whose policy has 20,000 pairs of source and port, against the same host without a rule, and
 * against one rule for each network. The three are taken in turns, in slices of a second and a half.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { createHostPoint, createNetfilter, createToolRun, removeHost } from '@edgeward/host-agent';
import { HOST_ADDRESSES, type TestHost } from '../kit/index.ts';
import type { Bench, Benchmark, Result } from './benchmark.ts';
import { hostPolicy } from './host-policies.ts';
import { OPTIONS, peerOf, startScript, withHost } from './host-tools.ts';
import { fixed, median } from './statistics.ts';

const ROUNDS = Number(process.env.EDGEWARD_BENCH_ROUNDS ?? 9);
const SLICE_MS = 1500;
const NETWORKS = 1334;
const PORTS = Array.from({ length: 15 }, (_, n) => 5432 + n * 3);
/** Of the last network that a rule each names: it is asked for after all others. */
const CALLERS = Array.from({ length: 8 }, (_, n) => `10.1.0.${n + 1}`);

export const hostConnections: Benchmark = {
  name: 'host-connections',
  measures: 'new connections per second with 20,000 sources and ports, against no rules and one rule per network',
  async run(bench) {
    const rows: string[][] = [];
    for (const backend of ['nft', 'legacy'] as const) {
      const result = await withHost(bench, (host) => measureBackend(bench, host, backend, rows));
      if (result.state === 'skipped') return result;
    }
    return {
      state: 'measured',
      tables: [
        {
          head: [
            'new connections per second',
            'no rules',
            'policy',
            'a rule per network',
            'policy ÷ none',
            'policy ÷ rules',
          ],
          rows,
        },
      ],
      notes: [
        `${NETWORKS.toLocaleString('en')} networks × ${PORTS.length} ports; the callers’ network is the last. A rule per network: established first, then \`-s NETWORK -m multiport --dports …\`, then DROP. Medians of ${ROUNDS} rounds; ratios are medians of the rounds’ own.`,
        'Both ends are Node processes on the same two cores: what they cost flatters the ratios.',
      ],
    };
  },
};

async function measureBackend(
  bench: Bench,
  host: TestHost,
  backend: 'nft' | 'legacy',
  rows: string[][],
): Promise<Result> {
  const [to, port] = [HOST_ADDRESSES.inet, PORTS[0] ?? 0];
  await host.call(CALLERS.map((from) => ({ from, to, port: 'udp/9' })));
  const answerer = startScript(bench, host.where, 'host-connector.ts', ['answer', String(port)]);
  await once(createInterface({ input: answerer.stdout ?? process.stdin }), 'line');
  const caller = startScript(bench, peerOf(host), 'host-connector.ts', [
    'call',
    JSON.stringify({ from: CALLERS, to, port }),
  ]);
  const lines = createInterface({ input: caller.stdout ?? process.stdin });
  const slice = async (): Promise<number> => {
    await host.run('conntrack', '-F');
    const line = once(lines, 'line');
    caller.stdin?.write(`${SLICE_MS}\n`);
    return (Number((await line)[0]) * 1000) / SLICE_MS;
  };
  const netfilter = createNetfilter(backend, createToolRun({ where: host.where }));
  const policy = hostPolicy({
    revision: 1,
    members: NETWORKS,
    ports: PORTS.map((one) => `tcp/${one}`),
    friends: ['10.1.0.0/24'],
  });
  const found: Record<'none' | 'policy' | 'rules', number[]> = { none: [], policy: [], rules: [] };
  await slice();
  for (let round = 0; round < ROUNDS; round += 1) {
    bench.progress(`${backend}, round ${round + 1} of ${ROUNDS}`);
    found.none.push(await slice());
    const point = createHostPoint({ name: 'h', options: OPTIONS, netfilter });
    await point.apply(policy);
    found.policy.push(await slice());
    await point.close();
    await removeHost(netfilter);
    await netfilter.writeRules('inet', ruleEach());
    found.rules.push(await slice());
    await netfilter.writeRules('inet', ['-D INPUT -j RULE-EACH', ':RULE-EACH - [0:0]', '-X RULE-EACH']);
  }
  const ratios = (of: readonly number[], by: readonly number[]): number =>
    median(of.map((rate, index) => rate / (by[index] ?? Number.NaN)));
  const { none, policy: ours, rules } = found;
  const cells = [median(none), median(ours), median(rules), ratios(ours, none), ratios(ours, rules)].map(fixed);
  rows.push([backend, ...cells]);
  return { state: 'measured', tables: [], notes: [] };
}

function ruleEach(): string[] {
  const ports = ['-p', 'tcp', '-m', 'multiport', '--dports', PORTS.join(',')].join(' ');
  const networks = [...Array.from({ length: NETWORKS }, (_, n) => `11.${n >> 8}.${n & 255}.0/24`), '10.1.0.0/24'];
  return [
    ':RULE-EACH - [0:0]',
    '-A RULE-EACH -m conntrack --ctstate ESTABLISHED -j ACCEPT',
    ...networks.map((network) => `-A RULE-EACH -s ${network} ${ports} -j ACCEPT`),
    '-A RULE-EACH -j DROP',
    '-I INPUT 1 -j RULE-EACH',
  ];
}
