/**
 * What is seen of the traffic that a host begins itself: how many packets begin something, by protocol. Nothing here judges,
 * marks or samples a packet: whatever else the host has decides as if these rules were not there. Pure.
 */
import { ruleOf } from './rule.ts';

export const OUTGOING_CHAIN = 'EW-OUT';

/** `other`: neither TCP nor UDP. */
export const OUTGOING_PROTOCOLS = ['tcp', 'udp', 'other'] as const;

export type OutgoingProtocol = (typeof OUTGOING_PROTOCOLS)[number];

/** Without a target a rule only counts. What has an answer already, and what is no connection, is not counted. */
const BEGINS = ['-m', 'conntrack', '--ctstate', 'NEW'];
const COUNTING: Readonly<Record<OutgoingProtocol, string[]>> = {
  tcp: ['-p', 'tcp', ...BEGINS],
  udp: ['-p', 'udp', ...BEGINS],
  other: BEGINS,
};

/** The same for every policy that judges, so that an apply leaves the counters alone. */
export function outgoingRules(): string[][] {
  const { tcp, udp, other } = COUNTING;
  return [['-o', 'lo', '-j', 'RETURN'], tcp, ['-p', 'tcp', '-j', 'RETURN'], udp, ['-p', 'udp', '-j', 'RETURN'], other];
}

/** By the hash in its comment a rule is known again, however the kernel prints it. */
export function countingHash(protocol: OutgoingProtocol): string {
  return ruleOf(COUNTING[protocol]).hash;
}
