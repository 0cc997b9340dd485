/** What stream.conf has to say once, and whose address its servers judge. */
import { type Configuration, named } from './configuration.ts';
import { finding, type ServerFinding } from './finding.ts';
import { believedAddresses } from './real-address.ts';
import type { Servers } from './servers.ts';
import { denyLogFindings, moduleFindings, zoneFindings, zoneIn } from './setup.ts';
import type { StreamServer } from './streams.ts';

export interface StreamExpectations {
  /** What the tcp objects of the policy need of the zone; null: not known. */
  zoneBytes: number | null;
  /** The file that the service reads; null: not known. */
  denyLog: string | null;
}

export function streamSetupFindings(
  { root }: Configuration,
  { stream, streamPlace, streams }: Servers,
  { zoneBytes, denyLog }: StreamExpectations,
): ServerFinding[] {
  const judged = streams.filter(({ hook }) => hook?.name === 'js_access');
  const missing = 'there is no zone for the policy in stream { }: every connection is denied';
  const isMissing = judged.length > 0 && zoneIn(stream, 'edgeward_stream') === null;
  return [
    ...moduleFindings(root, stream, /ngx_stream_js_module/),
    ...(isMissing ? [finding('error', 'EDW_ERR_NGINX_STREAM_ZONE_MISSING', streamPlace, missing)] : []),
    ...zoneFindings(stream, 'edgeward_stream', zoneBytes),
    ...denyLogFindings(stream, judged, denyLog),
    ...streams.filter(({ hook }) => hook !== null).flatMap((server) => addressOf(server, stream)),
  ];
}

function addressOf(server: StreamServer, stream: Servers['stream']): ServerFinding[] {
  const own = named(server.block, 'set_real_ip_from');
  const lines = own.length > 0 ? own : named(stream, 'set_real_ip_from');
  const takes = server.listeners.filter(({ proxyProtocol }) => proxyProtocol);
  if (lines.length > 0) return takes.length > 0 ? believedAddresses(server.title, 'the PROXY protocol', lines) : [];
  return takes.map((listener) => {
    const message = `${server.title}: ${listener.text} takes the PROXY protocol, but the address in it is not used: the balancer is judged`;
    return finding('warning', 'EDW_WARN_NGINX_PROXY_PROTOCOL', listener, message);
  });
}
