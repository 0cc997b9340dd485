/**
 * The site of the system tests: order-front at edge-1, whose crm workloads in prod may reach it. Sources are addresses
 * of loopback, so that NGINX sees them as they are.
 */
import { rawRequest } from '@edgeward/test/kit';

export const crm = '127.0.1.1';
export const dev = '127.0.1.2';
/** In no document: denied in every revision. */
export const stranger = '127.0.9.9';

export const workload = (name: string, address: string, env: string): string =>
  `kind: Workload\nname: ${name}\nlabels: { app: crm, env: ${env} }\naddresses: [${address}]\n`;

export const virtualServer = (name: string, point: string, mode = 'enforce'): string =>
  `kind: VirtualServer
name: ${name}
labels: { app: shop }
point: ${point}
bind: ${name}
ports: [tcp/443]
mode: ${mode}
`;

export const policy = `kind: Policy
name: shop
rules:
  - id: crm-orders
    from: [{ workloads: "app == 'crm' && env == 'prod'" }]
    to: "app == 'shop'"
    ports: [tcp/443]
`;

/** By file name. */
export const site: Record<string, string> = {
  'crm-1.yaml': workload('crm-1', crm, 'prod'),
  'crm-2.yaml': workload('crm-2', dev, 'dev'),
  'front.yaml': virtualServer('order-front', 'edge-1'),
  'shop.yaml': policy,
};

export interface Answer {
  status: number;
  /** The reference of a denial, which header and body carry. */
  ref: string | null;
}

/** One request for `path` from an address of loopback. */
export async function ask(port: number, from: string, path = '/'): Promise<Answer> {
  const bytes = `GET ${path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n`;
  const { status, headers, body } = await rawRequest({ port, bytes, localAddress: from });
  const ref = headers['edgeward-ref'] ?? null;
  if (ref !== null && !body.includes(ref)) throw new Error(`the body does not name ${ref}: ${body}`);
  return { status, ref };
}
