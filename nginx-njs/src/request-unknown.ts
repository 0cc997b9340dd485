import type { AddressKey } from '@edgeward/policy';
import { formatAddress } from '@edgeward/policy/dialect';
import { readTarget } from './request-flow.ts';
import { recordRequest, refuse } from './request-refusal.ts';
import { addTo } from './totals.ts';
import type { ReadAlready } from './zone.ts';

/**
 * Denied `unknown-source` by an object that is enforced: counted, recorded, refused. Floods are made of this. `text` is
 * NGINX's own of an IPv4 address, which is that of `formatAddress`; null for any other.
 */
export function denyUnknown(r: NginxHTTPRequest, read: ReadAlready, port: string, text: string | null): string {
  const active = read.active;
  const bind = read.bind;
  const peer = read.source as AddressKey;
  addTo(ngx.shared.edgeward_counts as NgxSharedDict<number>, `${bind}\tdeny\tunknown-source`, 1);
  const denial = {
    object: bind,
    port: `tcp/${port}`,
    source: text === null ? formatAddress(peer) : text,
    verdict: 'deny' as const,
    reason: 'unknown-source',
    rule: null,
    revision: Number(active.slice(13, active.indexOf(' ', 13))),
  };
  return refuse(
    r,
    recordRequest(r, denial, peer, () => readTarget(r)),
  );
}
