/**
 * Where marks of connections are taken by others, the kernel can't tell under which policy a flow was let in: whatever is
 * established passes. So the flows that the policy denies are looked for and forgotten; their next packet begins a flow, and
 * is judged. A flow on which the host itself speaks first then passes as one of its own: only marks keep that out.
 */
import { type CompiledPolicy, decide, viewOf } from '@edgeward/policy';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import { enforces } from './layout/index.ts';
import type { Flow, Netfilter } from './netfilter/index.ts';
import { prefixesOf } from './source-prefixes.ts';

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

export async function cutFlows(netfilter: Netfilter, policy: CompiledPolicy, publishedPorts: boolean): Promise<void> {
  const [object] = policy.objects;
  if (object === undefined || !enforces(policy)) return;
  const own = new Set(await netfilter.addresses());
  const view = viewOf(policy);
  const isDenied = (flow: Flow): boolean => {
    const port = judgedPort(flow, own, publishedPorts);
    if (port === null || own.has(flow.source)) return false;
    return decide(view, { from: flow.source, to: object.name, port: `${flow.protocol}/${port}` }).verdict === 'deny';
  };
  for (const family of netfilter.families) {
    const called = new Map<string, Called>();
    for (const flow of await netfilter.flows(family)) {
      const { protocol, port } = flow;
      const known = called.get(`${protocol} ${port}`) ?? { protocol, port, denied: new Set(), others: new Set() };
      called.set(`${protocol} ${port}`, known);
      (isDenied(flow) ? known.denied : known.others).add(flow.source);
    }
    for (const { protocol, port, denied, others } of called.values())
      for (const source of prefixesOf(denied, others)) await netfilter.forgetFlows(family, { protocol, source, port });
  }
}

/** Who called one port. */
interface Called {
  protocol: string;
  port: number;
  denied: Set<string>;
  /** Whoever is let in, and whom the policy does not judge. */
  others: Set<string>;
}

/** Null for what passes through this host on its way from one to another. */
function judgedPort(flow: Flow, own: ReadonlySet<string>, publishedPorts: boolean): number | null {
  if (own.has(flow.answeredBy)) return flow.answerPort;
  const sentOn = flow.answeredBy !== flow.destination || flow.answerPort !== flow.port;
  return sentOn && publishedPorts ? flow.port : null;
}
