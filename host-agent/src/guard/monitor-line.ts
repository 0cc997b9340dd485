/**
 * A line of `nft monitor`: does it touch what can change our verdicts, and who wrote it? What can't be read is taken for something
 * that does. Pure.
 */
export type MonitorLine =
  /** A rule, chain or table of the filter tables that iptables writes: ours, or one that packets pass before ours. */
  | { kind: 'near' }
  /** Something that our rules don't depend on. */
  | { kind: 'far' }
  /** The end of one transaction: who made it, as the kernel names it. */
  | { kind: 'end'; process: WritingProcess | null };

export interface WritingProcess {
  pid: number;
  /** At most 15 characters, of `[A-Za-z0-9._:/-]`; others are `?`. */
  name: string;
}

const CHANGE = /^(?:add|create|insert|replace|delete|destroy|flush|rename) (\S+) (\S+) (\S+)(?: (\S+))?/;
const END = /^# new generation \d+(?: by process (\d{1,10}) \((.*)\))?$/;
const NEAR_CHAIN = /^(?:INPUT|FORWARD|OUTPUT|EW-.*)$/;

export function readMonitorLine(line: string): MonitorLine {
  const end = END.exec(line);
  if (end !== null) return { kind: 'end', process: processOf(end[1], end[2]) };
  const [, object, family, table, chain] = CHANGE.exec(line) ?? [];
  if (object === undefined) return { kind: 'near' };
  if ((family !== 'ip' && family !== 'ip6') || table !== 'filter') return { kind: 'far' };
  if (object === 'table') return { kind: 'near' };
  return { kind: (object === 'rule' || object === 'chain') && NEAR_CHAIN.test(chain ?? '') ? 'near' : 'far' };
}

/** A process gives itself its name: it stays a word, whatever is in it. */
function processOf(pid: string | undefined, name: string | undefined): WritingProcess | null {
  if (pid === undefined) return null;
  return { pid: Number(pid), name: (name ?? '').slice(0, 15).replace(/[^A-Za-z0-9._:/-]/g, '?') };
}
