/** The packet filter of this host as the configuration wants it used, and the point that stands for it. Writes nothing. */
import { EdgewardError } from '@edgeward/runtime';
import {
  type Backend,
  createHostPoint,
  createNetfilter,
  type DenyCounter,
  findNetfilter,
  type HostPoint,
  type Netfilter,
  type RunTool,
} from '../driver/index.ts';
import type { AgentConfig } from './config.ts';

export interface OpenHost {
  netfilter: Netfilter;
  point: HostPoint;
  /** Who is told the last counters of rules that are over: at once what came before anybody listened, then each as it comes. */
  tellRetired(listener: (counters: readonly DenyCounter[]) => void): void;
  warnings: string[];
}

/** Throws EDW_ERR_HOST_TOOL where a program or the kernel can't do it, EDW_ERR_HOST_BACKEND where rules stand elsewhere. */
export async function openHost(name: string, config: AgentConfig, run: RunTool): Promise<OpenHost> {
  const found = await findNetfilter(run);
  const { backend, host } = config;
  const retired = createRetired();
  const isOther = backend !== 'auto' && backend !== found.netfilter.backend;
  if (isOther && found.ours.length > 0) throw elsewhere(found.ours[0] ?? 'nft', backend);
  const netfilter = isOther ? createNetfilter(backend, run, found.netfilter.families) : found.netfilter;
  const warnings = [
    ...(found.otherHasRules ? [`the other backend than ${found.netfilter.backend} has rules too`] : []),
    ...(isOther ? [`the rules of this host are in ${found.netfilter.backend}, and ${backend} is configured`] : []),
    ...(found.ipv6 === 'off' ? [IPV6_OFF] : []),
  ];
  const point = createHostPoint({ name, options: host, netfilter, onRetired: retired.told });
  return { netfilter, point, tellRetired: retired.tell, warnings };
}

/** Rules in both would both judge, and the older ones for ever. */
function elsewhere(there: Backend, wanted: Backend): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_HOST_BACKEND',
    `opening the packet filter: ${wanted} is configured, and rules of Edgeward stand in ${there}`,
    {
      mend: 'Run `edgeward agent remove` first, or take `backend` out of the configuration.',
    },
  );
}

const IPV6_OFF =
  'IPv6 is switched off in the kernel, and nothing of it is judged: whoever switches it on restarts the agent';

interface Retired {
  told(counters: readonly DenyCounter[]): void;
  tell: OpenHost['tellRetired'];
}

/** The first apply comes before there is anybody who counts. */
function createRetired(): Retired {
  const before: DenyCounter[] = [];
  let listener: ((counters: readonly DenyCounter[]) => void) | null = null;
  return {
    told(counters) {
      if (listener === null) before.push(...counters);
      else listener(counters);
    },
    tell(next) {
      listener = next;
      if (before.length > 0) next(before.splice(0));
    },
  };
}
