import type { Flow } from './flow.ts';

/** A flow as people read it: `10.30.1.4 → order-front tcp/443 GET /v1/orders/7`. */
export function describeFlow(flow: Flow): string {
  return `${flow.from} → ${flow.to} ${describeTarget(flow)}`;
}

/** The port, and the request where there is one: `tcp/443 GET /v1/orders`. */
export function describeTarget(flow: Flow): string {
  const plain = flow.method === undefined && flow.path === undefined;
  return plain ? flow.port : `${flow.port} ${flow.method ?? 'GET'} ${flow.path ?? '/'}`;
}
