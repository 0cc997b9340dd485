import { MAX_ENROLMENT_BYTES } from '@edgeward/host-agent/protocol';
import { type Clock, type Logger, openAnonymousTlsServer, type TlsServer } from '@edgeward/runtime';
import type { HostAuthority } from './enrolment.ts';
import { enrolmentStatusOf, tooOften } from './enrolment-refusals.ts';

/**
 * Where hosts that have no certificate yet ask for one: TLS, one route, nothing else. A host knows this server by the
 * fingerprint in its invite; the server knows the host by the secret in it. It is off unless it is configured.
 */
export interface EnrolListenerOptions {
  host: string;
  port: number;
  authority: HostAuthority;
  logger: Logger;
  clock?: Clock;
}

/** Throws EDW_ERR_TLS, EDW_ERR_SECRET_FILE, EDW_ERR_PORT_IN_USE, EDW_ERR_LISTEN. */
export function openEnrolListener(options: EnrolListenerOptions): Promise<TlsServer> {
  const { authority, ...listening } = options;
  return openAnonymousTlsServer({
    ...listening,
    files: authority.files,
    statusOf: (error) => enrolmentStatusOf(error) ?? 500,
    maxBodyBytes: MAX_ENROLMENT_BYTES,
    admit({ remote }) {
      const ms = authority.waitMs(remote);
      if (ms === 0) return null;
      return { status: 429, error: tooOften('this address'), headers: { 'retry-after': String(Math.ceil(ms / 1000)) } };
    },
    routes: [
      {
        method: 'POST',
        path: '/v1/enrol',
        handle: async (request) => ({ json: await authority.enrol(request.json(), request.remote) }),
      },
    ],
  });
}
