import type { Family } from './host-layout.ts';

/** The netlink group that samples of denials go to; whoever reads them listens there. */
export const NFLOG_GROUP: number = 1618;

/**
 * A sample of what is denied: one a second for each source and port. The kernel drops a packet when the table of sources is
 * full, observed or not; the first limit keeps it from ever filling, since what lies there is forgotten after ten seconds.
 */
export function logRule(family: Family, prefix: string): string[] {
  const flood = ['-m', 'limit', '--limit', '2000/sec', '--limit-burst', '4000'];
  const each = ['--hashlimit-upto', '1/sec', '--hashlimit-burst', '5', '--hashlimit-mode', 'srcip,dstport'];
  // The name is one of the whole network namespace.
  const table = ['--hashlimit-name', family === 'inet' ? 'ew4' : 'ew6'];
  const room = [
    '--hashlimit-htable-size',
    '4096',
    '--hashlimit-htable-max',
    '65536',
    '--hashlimit-htable-expire',
    '10000',
  ];
  const target = ['-j', 'NFLOG', '--nflog-group', String(NFLOG_GROUP), '--nflog-prefix', prefix];
  return [...flood, '-m', 'hashlimit', ...each, ...table, ...room, ...target];
}
