/**
 * The kernel's packet filter as this driver asks and writes it: one call is one program, one write is one transaction. It
 * speaks to one backend and never to the other. Nothing here knows what the rules mean. Throws EDW_ERR_POINT_UNREACHABLE
 * where a program gives no answer, EDW_ERR_POINT_REFUSED where it refuses, EDW_ERR_HOST_BUSY where another program holds the
 * lock, and EDW_ERR_HOST_BACKEND where rules are not to be had through this backend.
 */
import { EdgewardError } from '@edgeward/runtime';
import type { Family } from '../layout/host-layout.ts';
import { type Flow, parseAddresses, parseFlows } from './flows.ts';
import { parseSavedRules, type SavedRules } from './saved-rules.ts';
import { parseAllMembers, parseSavedMembers, parseSetHeaders, type SetHeader } from './saved-sets.ts';
import type { RunTool, ToolAnswer, ToolCall } from './tool-run.ts';

export type Backend = 'nft' | 'legacy';

export interface Netfilter {
  readonly backend: Backend;
  /** Without `inet6` where the kernel has IPv6 switched off: there is nothing to judge then. */
  readonly families: readonly Family[];
  /** The filter table of one family. */
  rules(family: Family): Promise<SavedRules>;
  /** Lines between `*filter` and `COMMIT`: all of them or none. The number of bytes written. */
  writeRules(family: Family, lines: readonly string[]): Promise<number>;
  /** Of all sets of this network namespace, foreign ones among them. */
  setHeaders(): Promise<SetHeader[]>;
  /** Empty where there is no such set. */
  members(set: string): Promise<string[]>;
  /** Of all sets, foreign ones among them, by name; one without members is left out. */
  allMembers(): Promise<Map<string, string[]>>;
  /** Commands of ipset, one a line. Those before one that is refused stay. The number of bytes written. */
  writeSets(lines: Iterable<string>): Promise<number>;
  /** Flows of TCP and UDP that the kernel tracks: those with this mark (`0x10000/0xfff0000`), or all. */
  flows(family: Family, mark?: string): Promise<Flow[]>;
  /** Tracked no more: the next packet begins a flow. `source` is an address or a prefix. */
  forgetFlows(family: Family, flow: { protocol: string; source: string; port: number }): Promise<void>;
  /** The host's own. */
  addresses(): Promise<string[]>;
}

/** Waits 5 s for the lock that iptables programs share. */
const LOCK_SECONDS = '5';
/** What iptables programs end with when they may be asked again: a lock, or memory. */
const RESOURCE_PROBLEM = 4;

export function createNetfilter(
  backend: Backend,
  run: RunTool,
  families: readonly Family[] = ['inet', 'inet6'],
): Netfilter {
  const ask = async (call: ToolCall): Promise<string> => accepted(call, await run(call)).stdout;
  return {
    backend,
    families,
    rules: async (family) =>
      parseSavedRules(await ask({ program: program(family, backend, 'save'), args: ['-c', '-t', 'filter'] })),
    writeRules: async (family, lines) => {
      const input = ['*filter\n', ...lines.map((line) => `${line}\n`), 'COMMIT\n'];
      await ask({ program: program(family, backend, 'restore'), args: ['--noflush', '-w', LOCK_SECONDS], input });
      return bytesOf(input);
    },
    setHeaders: async () => parseSetHeaders(await ask({ program: 'ipset', args: ['list', '-t'] })),
    members: async (set) => {
      const call = { program: 'ipset', args: ['save', set] };
      const answer = await run(call);
      if (answer.stderr.includes('set with the given name does not exist')) return [];
      return parseSavedMembers(accepted(call, answer).stdout, set);
    },
    allMembers: async () => parseAllMembers(await ask({ program: 'ipset', args: ['save'] })),
    writeSets: async (lines) => {
      const counted = counting(lines);
      await ask({ program: 'ipset', args: ['restore'], input: counted.pieces() });
      return counted.bytes();
    },
    flows: async (family, mark) => {
      const marked = mark === undefined ? [] : ['-m', mark];
      return parseFlows(await ask({ program: 'conntrack', args: ['-L', '-f', IP[family], ...marked] }));
    },
    forgetFlows: async (family, { protocol, source, port }) => {
      const of = ['-p', protocol, '--orig-src', source, '--orig-port-dst', String(port)];
      const call = { program: 'conntrack', args: ['-D', '-f', IP[family], ...of] };
      const answer = await run(call);
      // It ends so as well where the flow has ended in the meantime.
      if (!answer.stderr.includes(' 0 flow entries have been deleted')) accepted(call, answer);
    },
    addresses: async () => parseAddresses(await ask({ program: 'ip', args: ['-o', 'address'] })),
  };
}

const IP: Readonly<Record<Family, string>> = { inet: 'ipv4', inet6: 'ipv6' };

/** `ip6tables-nft-save`. */
export function program(family: Family, backend: Backend, verb: 'save' | 'restore'): string {
  return `${family === 'inet' ? 'iptables' : 'ip6tables'}-${backend}-${verb}`;
}

/** Said of a table that has rules of nft, by programs that end well. */
export const INCOMPATIBLE: RegExp = /incompatible, use '(nft|iptables-nft)' tool/;

function accepted(call: ToolCall, answer: ToolAnswer): ToolAnswer {
  const words = [call.program, ...call.args].join(' ');
  // Programs print this and end well: whoever believed the empty answer would write all rules again, for ever.
  if (INCOMPATIBLE.test(answer.stdout + answer.stderr))
    throw new EdgewardError(
      'EDW_ERR_HOST_BACKEND',
      `running \`${words}\`: the table has rules of nft that iptables can't show`,
      {
        mend: 'Move the nft rules of table filter into a table of another name: iptables owns that one on this host.',
      },
    );
  if (answer.status === 0) return answer;
  const complaint = answer.stderr.trim() || `it ended with status ${answer.status}`;
  if (answer.status === RESOURCE_PROBLEM && /lock|Resource temporarily/i.test(complaint))
    throw new EdgewardError('EDW_ERR_HOST_BUSY', `running \`${words}\`: ${complaint}`, {
      mend: 'Nothing to do: it is tried again. If it stays so, look for a program that holds /run/xtables.lock.',
    });
  throw new EdgewardError('EDW_ERR_POINT_REFUSED', `running \`${words}\`: ${complaint}`, {
    mend: 'Mend what the program names. What was in force stays. If Edgeward wrote what it refuses, report it with this message.',
  });
}

function bytesOf(pieces: readonly string[]): number {
  return pieces.reduce((bytes, piece) => bytes + Buffer.byteLength(piece), 0);
}

const PIECE = 64 * 1024;

/** A line at a time would be a write at a time. */
function counting(lines: Iterable<string>): { pieces(): Iterable<string>; bytes(): number } {
  let bytes = 0;
  function* pieces(): Generator<string> {
    let piece = '';
    for (const line of lines) {
      piece += `${line}\n`;
      if (piece.length < PIECE) continue;
      bytes += Buffer.byteLength(piece);
      yield piece;
      piece = '';
    }
    bytes += Buffer.byteLength(piece);
    if (piece !== '') yield piece;
  }
  return { pieces, bytes: () => bytes };
}
