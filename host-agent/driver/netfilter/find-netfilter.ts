/**
 * Which backend a host's rules live in, found once: iptables-nft, or iptables-legacy where the rules live there already. Never
 * both. Without ip6tables only a host whose kernel has IPv6 switched off goes on, with IPv4 alone. Throws EDW_ERR_HOST_TOOL
 * with what is missing, so that an agent without tools or kernel says so at its start, and EDW_ERR_POINT_UNREACHABLE where a
 * program that is there gives no answer.
 */
import { EdgewardError, messageOf, systemCodeOf } from '@edgeward/runtime';
import type { Family } from '../layout/host-layout.ts';
import { META_CHAIN } from '../meta.ts';
import { type Backend, createNetfilter, INCOMPATIBLE, type Netfilter, program } from './netfilter.ts';
import { parseSavedRules } from './saved-rules.ts';
import type { RunTool } from './tool-run.ts';

export interface FoundNetfilter {
  netfilter: Netfilter;
  /** The other backend has rules too, somebody else's: both are asked for every packet. */
  otherHasRules: boolean;
  /** `off`: the kernel has IPv6 switched off, and nothing of it is judged. Who switches it on starts the agent anew. */
  ipv6: 'judged' | 'off';
  /** Backends that have rules of ours. */
  ours: Backend[];
}

/** Looks, and writes nothing. */
export async function findNetfilter(run: RunTool): Promise<FoundNetfilter> {
  const found = await findRules(run);
  await requireSets(run);
  return found;
}

/** The same for who only takes rules away: also where sets can't be had. */
export async function findRules(run: RunTool): Promise<FoundNetfilter> {
  const isOff = await isSixOff(run);
  const [nft, legacy] = [await rulesIn(run, 'nft', isOff), await rulesIn(run, 'legacy', isOff)];
  const backend = backendOf(nft, legacy);
  const [own, other] = backend === 'nft' ? [nft, legacy] : [legacy, nft];
  const families = own?.families ?? ['inet', 'inet6'];
  return {
    netfilter: createNetfilter(backend, run, families),
    otherHasRules: other !== null && other.rules > 0,
    ipv6: families.includes('inet6') ? 'judged' : 'off',
    ours: [...(nft?.ours ? (['nft'] as const) : []), ...(legacy?.ours ? (['legacy'] as const) : [])],
  };
}

interface FoundRules {
  /** Whose tables can be asked for. */
  families: Family[];
  /** Rules, and policies other than ACCEPT. */
  rules: number;
  /** Ours among them. */
  ours: boolean;
}

/** Null where the programs are missing. */
async function rulesIn(run: RunTool, backend: Backend, isSixOff: boolean): Promise<FoundRules | null> {
  const found: FoundRules = { families: [], rules: 0, ours: false };
  for (const family of ['inet', 'inet6'] as const) {
    const answer = await run({ program: program(family, backend, 'save'), args: [] }).catch(whereMissing);
    if (family === 'inet6' && isSixOff && answer?.status !== 0) continue;
    if (answer === null) return null;
    found.families.push(family);
    if (backend === 'nft' && (answer.status !== 0 || INCOMPATIBLE.test(answer.stdout + answer.stderr)))
      throw unreadable();
    // A legacy backend without a table prints nothing, and loads none by being asked.
    if (answer.status !== 0) continue;
    const chains = parseSavedRules(answer.stdout);
    found.ours ||= chains.has(META_CHAIN);
    for (const { texts } of chains.values()) found.rules += texts.length;
    found.rules += answer.stdout.match(/^:\S+ (DROP|REJECT) /gm)?.length ?? 0;
  }
  return found;
}

/** A program that is there and gives no answer may have rules of ours to tell. */
function whereMissing(thrown: unknown): null {
  if (thrown instanceof Error && systemCodeOf(thrown.cause) === 'ENOENT') return null;
  throw thrown;
}

/** What can't be read may hold rules of ours: whoever took the other backend then would judge by both. */
function unreadable(): EdgewardError {
  return new EdgewardError('EDW_ERR_HOST_BACKEND', 'finding iptables: the rules of iptables-nft can not be read', {
    mend: 'Move nft rules that iptables can not show out of table filter, or find out why `iptables-nft-save` fails.',
  });
}

/** No interface has an address of IPv6, and none gets one: switched off, or not in this kernel at all. */
async function isSixOff(run: RunTool): Promise<boolean> {
  const read = async (path: string): Promise<string> => {
    const answer = await run({ program: 'cat', args: [path] }).catch(() => null);
    return answer?.status === 0 ? answer.stdout.trim() : '';
  };
  const addresses = await read('/proc/net/if_inet6');
  const switches = await Promise.all(
    ['all', 'default'].map((conf) => read(`/proc/sys/net/ipv6/conf/${conf}/disable_ipv6`)),
  );
  // Whoever can't read this knows nothing of IPv6 either.
  const isThere = (await read('/proc/version')) !== '';
  return isThere && addresses === '' && switches.every((value) => value !== '0');
}

function backendOf(nft: FoundRules | null, legacy: FoundRules | null): Backend {
  if (nft === null && legacy === null)
    throw toolError('finding iptables: neither iptables-nft-save nor iptables-legacy-save runs, or ip6tables does not');
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
