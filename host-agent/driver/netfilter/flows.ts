/** What `conntrack -L` and `ip -o address` print, read. Pure. */
export interface Flow {
  protocol: 'tcp' | 'udp';
  source: string;
  destination: string;
  /** Where it was made to. */
  port: number;
  /** Who answers, and from which port: another one where the destination was translated. */
  answeredBy: string;
  answerPort: number;
}

const FLOW = /^(tcp|udp) .*?src=(\S+) dst=(\S+) sport=\d+ dport=(\d+) .*?src=(\S+) dst=\S+ sport=(\d+) dport=\d+/;

/** Flows of other protocols are left out. */
export function parseFlows(text: string): Flow[] {
  return text.split('\n').flatMap((line) => {
    const [found, protocol, source = '', destination = '', port, answeredBy = '', answerPort] = FLOW.exec(line) ?? [];
    if (found === undefined || (protocol !== 'tcp' && protocol !== 'udp')) return [];
    return [{ protocol, source, destination, port: Number(port), answeredBy, answerPort: Number(answerPort) }];
  });
}

/** The addresses of the host itself. */
export function parseAddresses(text: string): string[] {
  return [...text.matchAll(/ inet6? ([0-9a-f.:]+)/g)].map(([, address = '']) => address);
}
