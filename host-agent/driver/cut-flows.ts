/**
 * Where marks of connections are taken by others, the kernel can't tell under which policy a flow was let in: whatever is
 * established passes. So the flows that the policy denies are looked for and forgotten; their next packet begins a flow, and
 * is judged. A flow on which the host itself speaks first then passes as one of its own: only marks keep that out.
 */
import { type CompiledPolicy, decide, viewOf } from '@edgeward/policy';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import type { Family } from './layout/host-layout.ts';
import { enforces } from './layout/index.ts';
import type { Flow, Netfilter } from './netfilter/index.ts';

/** Asked before anything is written. Throws EDW_ERR_HOST_TOOL where flows can't be looked at: nobody could be cut. */
export async function requireFlows(netfilter: Netfilter): Promise<void> {
  for (const family of netfilter.families) {
    await netfilter.flows(family, '0xffffffff').catch((cause: unknown) => {
      throw new EdgewardError('EDW_ERR_HOST_TOOL', `looking at connections that are open: ${messageOf(cause)}`, {
        mend: 'Install conntrack, or let Edgeward have bits of the connection mark.',
        cause,
      });
    });
  }
}

/** How many sources and ports were cut off. */
export async function cutFlows(netfilter: Netfilter, policy: CompiledPolicy, publishedPorts: boolean): Promise<number> {
  const [object] = policy.objects;
  if (object === undefined || !enforces(policy)) return 0;
  const own = new Set(await netfilter.addresses());
  const view = viewOf(policy);
  let cut = 0;
  for (const family of netfilter.families) {
    const denied = new Map<string, { family: Family; flow: Flow }>();
    for (const flow of await netfilter.flows(family)) {
      const port = judgedPort(flow, own, publishedPorts);
      if (port === null || own.has(flow.source)) continue;
      const { verdict } = decide(view, { from: flow.source, to: object.name, port: `${flow.protocol}/${port}` });
      if (verdict === 'deny') denied.set(`${flow.protocol} ${flow.source} ${flow.port}`, { family, flow });
    }
    for (const { flow } of denied.values()) await netfilter.forgetFlows(family, flow);
    cut += denied.size;
  }
  return cut;
}

/** Null for what passes through this host on its way from one to another. */
function judgedPort(flow: Flow, own: ReadonlySet<string>, publishedPorts: boolean): number | null {
  if (own.has(flow.answeredBy)) return flow.answerPort;
  const sentOn = flow.answeredBy !== flow.destination || flow.answerPort !== flow.port;
  return sentOn && publishedPorts ? flow.port : null;
}
