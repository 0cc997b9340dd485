import type { Family } from './host-layout.ts';

/**
 * What a host needs to live, whatever a policy says: errors of its own connections, neighbours, multicast listeners, its lease.
 * Without neighbour discovery IPv6 stops once neighbours expire (measured).
 */
export function systemRules(family: Family, pass: string): string[][] {
  return family === 'inet' ? rulesOf4(pass) : rulesOf6(pass);
}

function rulesOf4(pass: string): string[][] {
  // Unreachable, time exceeded, parameter problem.
  const errors = ['3', '11', '12'].map((type) => ['-p', 'icmp', '-m', 'icmp', '--icmp-type', type, '-j', pass]);
  return [...errors, ['-p', 'udp', '-m', 'udp', '--sport', '67', '--dport', '68', '-j', pass]];
}

function rulesOf6(pass: string): string[][] {
  const icmp = (type: number, more: string[]): string[] => [
    ...['-p', 'ipv6-icmp', '-m', 'icmp6', '--icmpv6-type', String(type)],
    ...more,
    ...['-j', pass],
  ];
  // A hop limit of 255 can't come from beyond the link (RFC 4861 §6.1, §7.1).
  const neighbours = [133, 134, 135, 136, 137].map((type) => icmp(type, ['-m', 'hl', '--hl-eq', '255']));
  const errors = [1, 2, 3, 4].map((type) => icmp(type, []));
  const listeners = [130, 131, 132, 143].map((type) => ['-s', 'fe80::/10', ...icmp(type, [])]);
  const lease = ['-s', 'fe80::/10', '-p', 'udp', '-m', 'udp', '--sport', '547', '--dport', '546', '-j', pass];
  return [...neighbours, ...errors, ...listeners, lease];
}
