/**
 * A host that judges: a policy is applied to a network namespace through the driver, and flows are tried by connecting. What
 * comes back tells whether the packet filter let it pass; nothing listens there, so a refusal is an answer as well.
 */
import { type Backend, createHostPoint, createNetfilter, createToolRun, type HostOptions } from '@edgeward/host-agent';
import type { CompiledPolicy } from '@edgeward/policy';
import { HOST_ADDRESSES, type HostTeardown, startHost, type TestHost } from '@edgeward/test/kit';

const OPTIONS: HostOptions = {
  mark: { mask: 0x0fff0000, shift: 16 },
  verdict: 'exclusive',
  publishedPorts: false,
};

export interface JudgingHost {
  readonly host: TestHost;
  /** Puts it in force under the next revision. */
  load(policy: CompiledPolicy): Promise<void>;
  /** Whether each passes. */
  judge(flows: readonly { from: string; port: string }[]): Promise<boolean[]>;
}

export async function startJudgingHost(t: HostTeardown, backend: Backend): Promise<JudgingHost> {
  const host = await startHost(t);
  const netfilter = createNetfilter(backend, createToolRun({ where: host.where }));
  const point = createHostPoint({ name: 'host', options: OPTIONS, netfilter });
  t.teardown(() => point.close());
  let revision = 0;
  return {
    host,
    load: async (policy) => {
      revision += 1;
      await point.apply({ ...policy, revision });
    },
    judge: async (flows) => {
      const outcomes = await host.call(
        flows.map(({ from, port }) => ({
          from,
          port,
          to: from.includes(':') ? HOST_ADDRESSES.inet6 : HOST_ADDRESSES.inet,
        })),
      );
      return outcomes.map((outcome) => outcome !== 'silent');
    },
  };
}
