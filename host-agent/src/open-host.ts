/** The packet filter of this host as the configuration wants it used, and the point that stands for it. Writes nothing. */
import {
  createHostPoint,
  createNetfilter,
  findNetfilter,
  type HostPoint,
  type Netfilter,
  type RunTool,
} from '../driver/index.ts';
import type { AgentConfig } from './config.ts';

export interface OpenHost {
  netfilter: Netfilter;
  point: HostPoint;
  warnings: string[];
}

/** Throws EDW_ERR_HOST_TOOL where a program or the kernel can't do it. */
export async function openHost(name: string, config: AgentConfig, run: RunTool): Promise<OpenHost> {
  const found = await findNetfilter(run);
  const { backend, host } = config;
  const isOther = backend !== 'auto' && backend !== found.netfilter.backend;
  const netfilter = isOther ? createNetfilter(backend, run, found.netfilter.families) : found.netfilter;
  const warnings = [
    ...(found.otherHasRules ? [`the other backend than ${found.netfilter.backend} has rules too`] : []),
    ...(isOther ? [`the rules of this host are in ${found.netfilter.backend}, and ${backend} is configured`] : []),
  ];
  return { netfilter, point: createHostPoint({ name, options: host, netfilter }), warnings };
}
