import type { AddressKey } from '@edgeward/policy';
import type { DenialDetails } from './deny-log.ts';

/** What the line of a denied request says of it. `target` is that on the request line, where it was read. */
export function detailsOf(r: NginxHTTPRequest, peer: AddressKey | null, target: string | undefined): DenialDetails {
  const variables = r.variables;
  return {
    ref: refOf(r),
    peer,
    peerPort: Number(variables.remote_port),
    method: r.method as string,
    // As it was judged: bytes that are no UTF-8 as escapes, an absolute target with its host. `why` judges it again.
    path: withoutQuery(target || variables.request_uri || ''),
    host: variables.http_host || null,
  };
}

/** 64 bits of NGINX's own random request id. */
export function refOf(r: NginxHTTPRequest): string {
  return (r.variables.request_id as string).slice(0, 16);
}

/** A query may hold secrets and never decides anything. */
function withoutQuery(target: string): string {
  const question = target.indexOf('?');
  return question < 0 ? target : target.slice(0, question);
}
