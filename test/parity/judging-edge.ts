/**
 * A real NGINX that is asked about requests: which object, which port and which source stand in headers that only this test
 * server reads, the rest goes on the wire as the flow says. One flow at a time, so that the line in the deny log is its.
 */
import type { Flow } from '@edgeward/policy';
import { rawRequest, startEdge, type Teardown } from '@edgeward/test/kit';
import { judgingWith } from './judging.ts';
import type { CarrierKind, JudgingNginx } from './nginx-carriers.ts';

export async function startJudgingEdge(t: Teardown, { edition, mode }: CarrierKind): Promise<JudgingNginx> {
  const server = { name: 'judge', bind: '$http_x_test_server', port: '$http_x_test_port', spoof: true };
  const hybrid = mode === 'hybrid' ? { hybrid: { cachedCheck: false } } : {};
  const edge = await startEdge(t, { servers: [server], workers: 1, zoneSize: '16m', edition, ...hybrid });
  return judgingWith(t, edge, mode, async (flow, bind) => {
    const { status, headers } = await rawRequest({ port: edge.port, bytes: bytesOf(flow, bind) });
    return { passed: status === 200, status, ref: headers['edgeward-ref'] };
  });
}

export function bytesOf(flow: Flow, bind: string): string {
  const hosts = flow.host === undefined ? [] : [flow.host].flat();
  // Only HTTP/1.0 may leave the Host out.
  const version = flow.host === undefined ? 'HTTP/1.0' : 'HTTP/1.1';
  const path = flow.path === undefined || flow.path === '' ? '/' : flow.path;
  const headers = [
    ...hosts.map((host) => `Host: ${host}`),
    ...(flow.forwardedFor === undefined ? [] : [`X-Forwarded-For: ${flow.forwardedFor}`]),
    `X-Test-Source: ${flow.from}`,
    `X-Test-Server: ${bind}`,
    `X-Test-Port: ${flow.port.slice('tcp/'.length)}`,
    'Connection: close',
  ];
  return `${flow.method ?? 'GET'} ${path} ${version}\r\n${headers.join('\r\n')}\r\n\r\n`;
}
