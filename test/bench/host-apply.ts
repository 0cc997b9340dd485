/**
 * What applying a policy costs a host: a process on it that does nothing else, its own CPU and that of the programs it runs. Each
 * size begins on a host without rules.
 */
import type { Bench, Benchmark, Table } from './benchmark.ts';
import type { ApplyCost, ApplyCosts } from './host-apply-child.ts';
import { outputOf, startScript, withHost } from './host-tools.ts';
import { fixed } from './statistics.ts';

interface Shape {
  backend: 'nft' | 'legacy';
  members: number;
  published: boolean;
  times: number;
}

const SIZES = [1000, 10_000, 100_000, 1_000_000];
const SHAPES: Shape[] = (['nft', 'legacy'] as const).flatMap((backend) => [
  ...SIZES.map((members) => ({ backend, members, published: false, times: members >= 1_000_000 ? 6 : 30 })),
  { backend, members: 100_000, published: true, times: 30 },
]);

export const hostApply: Benchmark = {
  name: 'host-apply',
  measures: 'CPU of a full apply at 1k to 1M sources, of ten more, and of one fewer, on a host',
  async run(bench) {
    const found: { words: string; costs: ApplyCosts }[] = [];
    for (const shape of SHAPES) {
      const words = `${shape.backend}, ${shape.members.toLocaleString('en')}${shape.published ? ', published ports' : ''}`;
      bench.progress(words);
      const costs = await measureShape(bench, shape);
      if (typeof costs === 'string') return { state: 'skipped', reason: costs };
      found.push({ words, costs });
    }
    const tableOf = (title: string, pick: (costs: ApplyCosts) => ApplyCost): Table => ({
      head: [title, 'wall', 'programs that write', 'programs that read', 'Node'],
      rows: found.map(({ words, costs }) => [words, ...cells(pick(costs))]),
    });
    return {
      state: 'measured',
      tables: [
        tableOf('full apply, ms of CPU', ({ full }) => full),
        tableOf('ten more members, ms of CPU', ({ more }) => more),
        tableOf('one member fewer, ms of CPU', ({ fewer }) => fewer),
        {
          head: ['memory of that process', 'peak, MB'],
          rows: found.map(({ words, costs }) => [words, fixed(costs.peakBytes / 1e6)]),
        },
      ],
      notes: [
        'One port; IPv4 sources that join into no wider networks. Programs that write are `ipset restore` and `iptables-restore`; those that read are `iptables-save`, `ipset` and `conntrack`, before and after. Node: laying out, hashing, comparing, and starting the programs; compiling the policy is not in it.',
        'CPU is by the kernel’s ticks of 10 ms: of a full apply one digit less than is shown; ten more members are the mean of 30 applies (6 at a million).',
      ],
    };
  },
};

function cells({ wall, writing, reading, node }: ApplyCost): string[] {
  return [wall, writing, reading, node].map(fixed);
}

async function measureShape(bench: Bench, shape: Shape): Promise<ApplyCosts | string> {
  const { backend, members, published, times } = shape;
  let costs: ApplyCosts | null = null;
  const result = await withHost(bench, async (host) => {
    const args = [backend, String(members), published ? 'published' : 'no', String(times)];
    costs = JSON.parse(await outputOf(startScript(bench, host.where, 'host-apply-child.ts', args))) as ApplyCosts;
    return { state: 'measured', tables: [], notes: [] };
  });
  if (result.state === 'skipped') return result.reason;
  return costs ?? 'nothing was measured';
}
