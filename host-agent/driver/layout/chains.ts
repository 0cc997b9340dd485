import type { Interval } from '@edgeward/policy';
import type { ChainLayout, Family, FamilyLayout, HookLayout, HostOptions, SetLayout } from './host-layout.ts';
import { logRule } from './log-rule.ts';
import { markArgs } from './mark.ts';
import { memberTexts } from './members.ts';
import { OUTGOING_CHAIN, outgoingRules } from './outgoing.ts';
import type { HookRules } from './policy-rules.ts';
import { chainOf } from './rule.ts';
import { distinctSets, setOf } from './sets.ts';
import { systemRules } from './system-rules.ts';

/**
 * The chains of one family. Each goes to the next (`-g`) and never calls it, so RETURN anywhere leaves all of them at once,
 * back to the chain that called `EW-IN`. What a policy decides stands in chains that end in its generation: a new policy
 * has new ones beside the old, and whoever switches `EW-IN` over has switched everything.
 */
export interface ChainRequest {
  family: Family;
  mode: 'enforce' | 'observe';
  /** 8 hex that name the policy in samples. */
  sampled: string;
  generation: number;
  options: HostOptions;
  rules: HookRules;
  failsafe: Failsafe;
}

/** Who may always reach tcp/22, of this family. */
export interface Failsafe {
  anyone: boolean;
  /** Null: nobody, or everyone. */
  set: SetLayout | null;
}

export function failsafeOf(family: Family, intervals: Interval[]): Failsafe {
  const members = intervals.length === 0 ? [] : memberTexts(intervals);
  const set = members === null || members.length === 0 ? null : setOf(family, 'hash:net', members);
  return { anyone: members === null, set };
}

/** IPv4 in IPv6's clothes: judged as the IPv4 address it would be, and no such packet can be answered. */
const MAPPED = '::ffff:0:0/96';

export function familyLayout(request: ChainRequest): FamilyLayout {
  const { family, generation, options, rules, failsafe } = request;
  const ok = `EW-OK-${generation}`;
  const chains = [
    chainOf(ok, [...markArgs(options.mark, generation).stamp, ['-j', passOf(request)]]),
    ...judgingChains(request, rules.input.rulesTo(ok), 'EW-POL', 'EW-DENY', 'i'),
    chainOf('EW-SAFE', [
      ...failsafeRules(request, ['-p', 'tcp', '-m', 'tcp', '--dport', '22']),
      ['-g', `EW-POL-${generation}`],
    ]),
    chainOf('EW-SYS', [...systemRules(family, passOf(request)), ...judged('EW-SAFE')]),
    chainOf('EW-IN', [['-i', 'lo', '-j', 'RETURN'], ...knownFlows(request), ...invalid(request), ['-g', 'EW-SYS']]),
    chainOf(OUTGOING_CHAIN, outgoingRules()),
  ];
  if (rules.published !== null) chains.push(...publishedChains(request, rules.published.rulesTo(ok)));
  const sets = [
    ...(failsafe.set === null ? [] : [failsafe.set]),
    ...rules.input.sets,
    ...(rules.published?.sets ?? []),
  ];
  return { sets: distinctSets(sets), chains, hooks: hooksOf(options) };
}

/** Everything passes, and what else the host has decides. */
export function openFamily(options: HostOptions): FamilyLayout {
  const hooks = hooksOf(options);
  return { sets: [], chains: hooks.map(({ target }) => chainOf(target, [['-j', 'RETURN']])), hooks };
}

function hooksOf({ publishedPorts }: HostOptions): HookLayout[] {
  const input: HookLayout = { chain: 'INPUT', target: 'EW-IN' };
  const forward: HookLayout[] = publishedPorts ? [{ chain: 'FORWARD', target: 'EW-FWD' }] : [];
  return [input, ...forward, { chain: 'OUTPUT', target: OUTGOING_CHAIN }];
}

/** Who observes accepts nothing: another firewall of this host may deny it, and must go on doing so. */
function passOf({ mode, options }: ChainRequest): string {
  return mode === 'enforce' && options.verdict === 'exclusive' ? 'ACCEPT' : 'RETURN';
}

/** What needs no new verdict: let in under this policy, an answer to the host itself, an error about either. */
function knownFlows(request: ChainRequest): string[][] {
  const established = ['-m', 'conntrack', '--ctstate', 'ESTABLISHED'];
  const pass = ['-j', passOf(request)];
  const icmp = request.family === 'inet' ? 'icmp' : 'ipv6-icmp';
  return [
    [...established, ...markArgs(request.options.mark, request.generation).match, ...pass],
    [...established, '--ctdir', 'REPLY', ...pass],
    ['-p', icmp, '-m', 'conntrack', '--ctstate', 'RELATED', ...pass],
  ];
}

/** Belongs to no connection and begins none. It would else pass by the rules' ports alone. */
function invalid({ mode }: ChainRequest): string[][] {
  if (mode === 'observe') return [];
  return ['tcp', 'udp'].map((protocol) => ['-p', protocol, '-m', 'conntrack', '--ctstate', 'INVALID', '-j', 'DROP']);
}

/** Other protocols fall off the end of the chain, which is a RETURN. */
function judged(chain: string): string[][] {
  return ['tcp', 'udp'].map((protocol) => ['-p', protocol, '-g', chain]);
}

function judgingChains(
  request: ChainRequest,
  rules: string[][],
  policy: string,
  deny: string,
  hook: string,
): ChainLayout[] {
  const { family, generation, mode, sampled } = request;
  const denying = `${deny}-${generation}`;
  const mapped = family === 'inet6' ? [['-s', MAPPED, '-g', denying]] : [];
  const sample = logRule(family, `ew1|${hook}|${generation}|${sampled}`);
  // The last rule's counter is the exact number of denials under this policy; what would be denied is stamped as let in.
  const end = mode === 'enforce' ? ['-j', 'DROP'] : ['-g', `EW-OK-${generation}`];
  return [chainOf(denying, [sample, end]), chainOf(`${policy}-${generation}`, [...mapped, ...rules, ['-g', denying]])];
}

/** Only what the host sends on to somewhere else than it was sent to: forwarding between networks is not the host's own. */
function publishedChains(request: ChainRequest, rules: string[][]): ChainLayout[] {
  const judging = `EW-PUB-${request.generation}`;
  const ssh = ['-p', 'tcp', '-m', 'conntrack', '--ctorigdstport', '22'];
  return [
    ...judgingChains(request, rules, 'EW-PUB', 'EW-PUB-DENY', 'f'),
    chainOf('EW-PUB', [...knownFlows(request), ...failsafeRules(request, ssh), ...judged(judging)]),
    chainOf('EW-FWD', [['-m', 'conntrack', '--ctstate', 'DNAT', '-g', 'EW-PUB']]),
  ];
}

function failsafeRules({ failsafe, generation }: ChainRequest, port: string[]): string[][] {
  const { anyone, set } = failsafe;
  if (set === null && !anyone) return [];
  const source = set === null ? [] : ['-m', 'set', '--match-set', set.name, 'src'];
  return [[...port, ...source, '-g', `EW-OK-${generation}`]];
}
