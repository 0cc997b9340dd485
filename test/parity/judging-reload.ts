/**
 * An NGINX without njs that is asked about requests, or about connections. It judges by the snapshot alone, so each load is
 * a reload.
 */
import type { CompiledPolicy, Flow } from '@edgeward/policy';
import { type NginxEditionName, rawConnection, rawRequest, type Teardown } from '@edgeward/test/kit';
import { startedStand } from '../../nginx-njs/test/reload/reload-stand.ts';
import { eventually } from '../../nginx-njs/test/server/real-nginx.ts';
import { bytesOf } from './judging-edge.ts';
import { proxyHeader } from './judging-stream.ts';
import type { Judged } from './nginx-carriers.ts';

export interface JudgingReload {
  readonly name: string;
  readonly transport: 'http' | 'stream';
  load(policy: CompiledPolicy): Promise<void>;
  /** `isTold`: an event is waited for. One that nobody waited for is found by the next flow. */
  judge(flow: Flow, isTold: boolean): Promise<Judged>;
}

export async function startJudgingReload(
  t: Teardown,
  of: { edition: NginxEditionName; transport: 'http' | 'stream' },
): Promise<JudgingReload> {
  const { edition, transport } = of;
  const words = (bind: string, port: string): string => `set $edgeward_server ${bind}; set $edgeward_port ${port};`;
  const stand = await startedStand(t, {
    edition,
    workers: 1,
    http: { judge: `HOOK ${words('$http_x_test_server', '$http_x_test_port')}` },
    stream: transport === 'stream' ? ['connections'] : [],
    streamServer: `HOOK ${words('$proxy_protocol_tlv_0xE0', '$proxy_protocol_server_port')} set $edgeward_upstream db;`,
  });
  let binds: Record<string, string> = {};
  let read = 0;
  const ask = async (flow: Flow): Promise<Pick<Judged, 'passed' | 'status' | 'ref'>> => {
    const bind = binds[flow.to] ?? flow.to;
    if (transport === 'stream') {
      const answer = await rawConnection({ port: stand.ports.connections ?? 0, bytes: proxyHeader(flow, bind) });
      return { passed: answer === 'through', status: null, ref: undefined };
    }
    const { status, headers } = await rawRequest({ port: stand.ports.judge ?? 0, bytes: bytesOf(flow, bind) });
    return { passed: status === 200, status, ref: headers['edgeward-ref'] };
  };
  return {
    name: `${edition} reload ${transport}`,
    transport,
    async load(policy) {
      binds = Object.fromEntries(policy.objects.map((object) => [object.name, object.bind]));
      await stand.first.apply(policy);
    },
    async judge(flow, isTold) {
      const told = await ask(flow);
      const isRefused = transport === 'http' && ![200, 403].includes(told.status ?? 0);
      if (isTold && !isRefused) await eventually(async () => (await stand.denials()).length > read);
      const [event = null, ...more] = (await stand.denials()).slice(read);
      if (more.length > 0) throw new Error(`one flow left ${more.length + 1} events`);
      read += event === null ? 0 : 1;
      return { ...told, event, refusedByServer: isRefused };
    },
  };
}
