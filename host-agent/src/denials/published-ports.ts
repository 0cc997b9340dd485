/**
 * Which port was called where a packet is for a container: a sample has the address and port that it was translated to, and the
 * policy names the one that the host publishes. The host's own rules for translation tell, when they tell of one port only.
 */
import type { Netfilter, RunTool } from '../../driver/index.ts';
import type { Sample } from './sample.ts';

export interface PublishedPorts {
  /** `tcp/8080`; null where that can't be told. */
  called(sample: Sample): Promise<string | null>;
  /** Rules are read again for the next question. */
  forget(): void;
}

export function createPublishedPorts(netfilter: Netfilter, run: RunTool): PublishedPorts {
  let known: Promise<Map<string, Set<string>>> | null = null;

  async function read(): Promise<Map<string, Set<string>>> {
    const found = new Map<string, Set<string>>();
    for (const family of netfilter.families) {
      const answer = await run({ program: saveProgram(family, netfilter.backend), args: ['-t', 'nat'] }).catch(
        () => null,
      );
      if (answer?.status === 0) addTranslations(answer.stdout, found);
    }
    return found;
  }

  return {
    called: async ({ destination, port }) => {
      known ??= read();
      const ports = (await known).get(`${destination} ${port}`);
      return ports?.size === 1 ? ([...ports][0] ?? null) : null;
    },
    forget: () => {
      known = null;
    },
  };
}

function saveProgram(family: Netfilter['families'][number], backend: Netfilter['backend']): string {
  return `${family === 'inet' ? 'iptables' : 'ip6tables'}-${backend}-save`;
}

const TRANSLATION =
  /^-A \S+ .*-p (tcp|udp)\b.* --dport (\d{1,5}) .*-j DNAT --to-destination (?:\[([0-9a-f:]+)\]|([0-9.]+|[0-9a-f:]+?))(?::(\d{1,5}))?(?: |$)/;

/** By `10.88.0.2 tcp/80`, the ports that lead there. */
function addTranslations(saved: string, found: Map<string, Set<string>>): void {
  for (const line of saved.split('\n')) {
    const [, protocol, port, bracketed, plain, to] = TRANSLATION.exec(line) ?? [];
    if (protocol === undefined || port === undefined) continue;
    const key = `${bracketed ?? plain} ${protocol}/${to ?? port}`;
    const ports = found.get(key) ?? new Set();
    found.set(key, ports.add(`${protocol}/${port}`));
  }
}
