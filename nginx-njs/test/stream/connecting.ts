/** Connections to a stream server of the kit, and small policies for it: who may reach `billing-db` on tcp/5432. */
import type { CompiledPolicy } from '@edgeward/policy';
import { compileDocuments, type Edge, rawConnection } from '@edgeward/test/kit';

export interface Connecting {
  /** Any address of 127.0.0.0/8. */
  from?: string;
  /** Said by the PROXY protocol, to a server that believes it: any address. */
  said?: string;
  /** Key in `edge.ports`; default `billing-db`. */
  server?: string;
  bytes?: string;
}

/** What came back before the connection was closed; empty from a server that denies. */
export function connecting(edge: Edge, of: Connecting = {}): Promise<string> {
  const { from = '127.0.0.1', said, server = 'billing-db', bytes = '' } = of;
  const head = said === undefined ? '' : proxyLine(said);
  return rawConnection({ port: edge.ports[server] ?? 0, localAddress: from, bytes: `${head}${bytes}` });
}

/** What `connecting` gets from a server of the kit that has no upstream. */
export const THROUGH = 'through\n';

function proxyLine(address: string): string {
  const [family, own] = address.includes(':') ? ['TCP6', '2001:db8::ffff'] : ['TCP4', '192.0.2.255'];
  return `PROXY ${family} ${address} ${own} 40000 5432\r\n`;
}

export interface StreamPolicy {
  revision: number;
  allow?: string[];
  mode?: 'enforce' | 'observe' | 'off';
  /** Names of `protocol: tcp` objects. Default `billing-db`. */
  objects?: string[];
  ports?: string[];
}

export function streamPolicy({ revision, allow = [], mode = 'enforce', ...of }: StreamPolicy): CompiledPolicy {
  const { objects = ['billing-db'], ports = ['tcp/5432'] } = of;
  const from = ['198.51.100.1', ...allow].map((cidr) => ({ cidr }));
  return compileDocuments(
    [
      ...objects.map((name) => tcpDocument(name, ports, mode)),
      {
        kind: 'VirtualServer',
        name: 'order-front',
        labels: { app: 'shop' },
        point: 'edge-1',
        bind: 'order-front',
        ports: ['tcp/443'],
        mode,
      },
      { kind: 'Policy', name: 'billing', rules: [{ id: 'r', from, to: "app in {'billing', 'shop'}" }] },
    ],
    { revision },
  );
}

function tcpDocument(name: string, ports: string[], mode: string): unknown {
  return {
    kind: 'VirtualServer',
    name,
    labels: { app: 'billing' },
    point: 'edge-1',
    bind: name,
    ports,
    protocol: 'tcp',
    mode,
  };
}
