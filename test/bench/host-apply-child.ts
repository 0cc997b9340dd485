/** Runs on a test host: applies a policy of so many sources, then more of them, then one fewer; prints what each cost. */
import { createHostPoint, createNetfilter, createToolRun, type RunTool } from '@edgeward/host-agent';
import { hostPolicy } from './host-policies.ts';
import { cpuOf, memoryOf, OPTIONS } from './host-tools.ts';

/** Of one apply; CPU in ms. */
export interface ApplyCost {
  wall: number;
  /** Programs that write, and those that read what stands before and after. */
  writing: number;
  reading: number;
  node: number;
}

export interface ApplyCosts {
  full: ApplyCost;
  /** Ten more, on average. */
  more: ApplyCost;
  /** One source fewer, which is a new set. */
  fewer: ApplyCost;
  peakBytes: number;
}

const MORE = 10;

async function measureApplies(
  backend: 'nft' | 'legacy',
  members: number,
  publishedPorts: boolean,
  times: number,
): Promise<ApplyCosts> {
  let writing = 0;
  const there = createToolRun({ timeoutMs: 120_000 });
  const run: RunTool = async (call) => {
    const before = cpuOf('self').children;
    const answer = await there(call);
    if (call.input !== undefined) writing += cpuOf('self').children - before;
    return answer;
  };
  const netfilter = createNetfilter(backend, run);
  const point = createHostPoint({ name: 'h', options: { ...OPTIONS, publishedPorts }, netfilter });
  let revision = 0;
  const ports = ['tcp/5432'];

  async function cost(orders: { members: number; without?: number }[]): Promise<ApplyCost> {
    const sum = { wall: 0, writing: 0, reading: 0, node: 0 };
    for (const order of orders) {
      revision += 1;
      const policy = hostPolicy({ revision, ports, ...order });
      const [cpu, wroteBefore, fromMs] = [cpuOf('self'), writing, performance.now()];
      await point.apply(policy);
      sum.wall += performance.now() - fromMs;
      const after = cpuOf('self');
      sum.writing += writing - wroteBefore;
      sum.reading += after.children - cpu.children - (writing - wroteBefore);
      sum.node += after.own - cpu.own;
      await point.settled();
    }
    const each = (total: number): number => total / orders.length;
    return { wall: each(sum.wall), writing: each(sum.writing), reading: each(sum.reading), node: each(sum.node) };
  }

  const full = await cost([{ members }]);
  const more = await cost(Array.from({ length: times }, (_, n) => ({ members: members + (n + 1) * MORE })));
  const fewer = await cost([{ members: members + times * MORE, without: 1 }]);
  return { full, more, fewer, peakBytes: memoryOf('self').peak };
}

const [backend = 'nft', members = '1000', published = 'no', times = '20'] = process.argv.slice(2);
const costs = await measureApplies(
  backend as 'nft' | 'legacy',
  Number(members),
  published === 'published',
  Number(times),
);
process.stdout.write(JSON.stringify(costs));
