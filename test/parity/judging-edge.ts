/**
 * A real NGINX that is asked about flows: which object, which port and which source stand in headers that only this test
 * server reads, the rest goes on the wire as the flow says. One flow at a time, so that the line in the deny log is its.
 */
import { open } from 'node:fs/promises';
import type { CompiledPolicy, Flow } from '@edgeward/policy';
import { type Denial, type Edge, type RawAnswer, rawRequest, startEdge, type Teardown } from '@edgeward/test/kit';

export interface Judged {
  answer: RawAnswer;
  /** The event that this flow left, if any. */
  event: Denial | null;
  /** NGINX answered with an error by itself, before the hook: no event. */
  refusedByServer: boolean;
}

export interface JudgingEdge {
  readonly edge: Edge;
  /** Puts a policy into force; its revision is replaced by the next one. Returns that. */
  load(policy: CompiledPolicy): Promise<number>;
  judge(flow: Flow): Promise<Judged>;
  /** What NGINX counted since the last call, as `bind verdict reason` → number. */
  counted(): Promise<Record<string, number>>;
}

export async function startJudgingEdge(t: Teardown): Promise<JudgingEdge> {
  const server = { name: 'judge', bind: '$http_x_test_server', port: '$http_x_test_port', spoof: true };
  const edge = await startEdge(t, { servers: [server], workers: 1 });
  const point = edge.point({ collectAfterMs: 20 });
  const events = await newEvents(t, edge.paths.denyLog);
  let revision = 0;
  let totals: Record<string, number> = {};
  let binds: Record<string, string> = {};
  return {
    edge,
    load: async (policy) => {
      revision += 1;
      binds = Object.fromEntries(policy.objects.map((object) => [object.name, object.bind]));
      await point.apply({ ...policy, revision });
      return revision;
    },
    judge: async (flow) => {
      const bind = Object.hasOwn(binds, flow.to) ? binds[flow.to] : flow.to;
      const answer = await rawRequest({ port: edge.port, bytes: bytesOf(flow, bind ?? flow.to) });
      const [event = null, ...more] = await events();
      if (more.length > 0) throw new Error(`one flow left ${more.length + 1} events`);
      return { answer, event, refusedByServer: event === null && answer.status >= 400 };
    },
    counted: async () => {
      const before = totals;
      const { counts } = await point.counts();
      totals = Object.fromEntries(counts.map((one) => [`${one.bind} ${one.verdict} ${one.reason}`, one.total]));
      const moved = Object.entries(totals).map(([key, total]) => [key, total - (before[key] ?? 0)] as const);
      return Object.fromEntries(moved.filter(([, difference]) => difference !== 0));
    },
  };
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

/** Reads what was appended to the deny log since the last call. */
async function newEvents(t: Teardown, file: string): Promise<() => Promise<Denial[]>> {
  // Made here where no denial came yet; NGINX only appends to it.
  const handle = await open(file, 'a+');
  t.teardown(() => handle.close());
  let at = 0;
  return async () => {
    const { size } = await handle.stat();
    if (size === at) return [];
    const bytes = Buffer.alloc(size - at);
    await handle.read(bytes, 0, bytes.length, at);
    at = size;
    const lines = bytes.toString('utf8').trimEnd().split('\n');
    return lines.map((line) => JSON.parse(line) as Denial);
  };
}
