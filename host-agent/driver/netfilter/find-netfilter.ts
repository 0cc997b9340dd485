/**
 * Which backend a host's rules live in, found once: iptables-nft, or iptables-legacy where the rules live there already. Never
 * both. Throws EDW_ERR_HOST_TOOL with what is missing, so that an agent without tools or kernel says so at its start.
 */
import { EdgewardError, messageOf } from '@edgeward/runtime';
import type { Family } from '../layout/host-layout.ts';
import { META_CHAIN } from '../meta.ts';
import { type Backend, createNetfilter, type Netfilter, program } from './netfilter.ts';
import { parseSavedRules } from './saved-rules.ts';
import type { RunTool } from './tool-run.ts';

const FAMILIES: readonly Family[] = ['inet', 'inet6'];

export interface FoundNetfilter {
  netfilter: Netfilter;
  /** The other backend has rules too, somebody else's: both are asked for every packet. */
  otherHasRules: boolean;
}

/** Looks, and writes nothing. */
export async function findNetfilter(run: RunTool): Promise<FoundNetfilter> {
  const [nft, legacy] = [await rulesIn(run, 'nft'), await rulesIn(run, 'legacy')];
  const backend = backendOf(nft, legacy);
  await requireSets(run);
  const other = backend === 'nft' ? legacy : nft;
  return { netfilter: createNetfilter(backend, run), otherHasRules: other !== null && other.rules > 0 };
}

interface FoundRules {
  /** Rules, and policies other than ACCEPT, in both families. */
  rules: number;
  /** Ours among them. */
  ours: boolean;
}

/** Null where the programs are missing. */
async function rulesIn(run: RunTool, backend: Backend): Promise<FoundRules | null> {
  const found = { rules: 0, ours: false };
  for (const family of FAMILIES) {
    const answer = await run({ program: program(family, backend, 'save'), args: [] }).catch(() => null);
    if (answer === null) return null;
    // A legacy backend without a table prints nothing, and loads none by being asked.
    if (answer.status !== 0) continue;
    const chains = parseSavedRules(answer.stdout);
    found.ours ||= chains.has(META_CHAIN);
    for (const { texts } of chains.values()) found.rules += texts.length;
    found.rules += answer.stdout.match(/^:\S+ (DROP|REJECT) /gm)?.length ?? 0;
  }
  return found;
}

function backendOf(nft: FoundRules | null, legacy: FoundRules | null): Backend {
  if (nft === null && legacy === null)
    throw toolError('finding iptables: neither iptables-nft-save nor iptables-legacy-save runs');
  if (nft === null || legacy === null) return nft === null ? 'legacy' : 'nft';
  // Where our rules are they stay: whoever adds a rule to the other backend moves nothing.
  if (nft.ours !== legacy.ours) return nft.ours ? 'nft' : 'legacy';
  return legacy.rules > 0 && nft.rules === 0 ? 'legacy' : 'nft';
}

/** A kernel without ipset says so here, and not in the middle of an apply. */
async function requireSets(run: RunTool): Promise<void> {
  const answer = await run({ program: 'ipset', args: ['list', '-n'] }).catch((cause: unknown) => {
    throw toolError(`finding ipset: ${messageOf(cause)}`, cause);
  });
  if (answer.status !== 0) throw toolError(`asking the kernel for its sets: ${answer.stderr.trim()}`);
}

function toolError(doing: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_HOST_TOOL', doing, {
    mend: 'Install iptables and ipset, run on a kernel with ip_set and xt_set, and give the agent CAP_NET_ADMIN and CAP_NET_RAW.',
    cause,
  });
}
