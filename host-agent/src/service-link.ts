/**
 * The agent's side of its tie to the service: the identity and the client that goes with it, replaced together when the
 * certificate is renewed, and how the service was met last. Whether anything follows from its absence is decided elsewhere.
 */
import { type Clock, EdgewardError, type Logger, messageOf } from '@edgeward/runtime';
import { renewIdentity } from './enrol.ts';
import type { Contact } from './follow.ts';
import { heldPolicies } from './held-policies.ts';
import { endOf, type Identity, renewAtMs } from './identity.ts';
import { createServiceClient, type ServiceClient } from './service-client.ts';
import type { ServiceContact } from './status-file.ts';

export interface ServiceLink {
  client(): ServiceClient;
  identity(): Identity;
  /** The service was met, or was not. */
  met(contact: Contact): void;
  contact(): ServiceContact;
  /** Since the agent started. */
  wasReached(): boolean;
  /** Renews a certificate whose time is near. Never rejects. */
  tend(): Promise<void>;
  warnings(): string[];
  close(): void;
}

export interface ServiceLinkOptions {
  identity: Identity;
  /** Empty: those of the identity. */
  service: readonly string[];
  stateDir: string;
  /** Ends whatever is under way. */
  ending: AbortSignal;
  clock: Clock;
  logger: Logger;
}

/** However wrong the clock of this host is, a certificate is asked for no more often than this. */
const LEAST_BETWEEN_RENEWALS_MS = 3_600_000;
/** The client that is replaced may have a question under way. */
const CLIENT_GRACE_MS = 130_000;

export function createServiceLink(options: ServiceLinkOptions): ServiceLink {
  const { service, stateDir, ending, clock, logger } = options;
  const held = heldPolicies(stateDir);
  let { identity } = options;
  let client = createServiceClient({ identity, service, held, ending });
  let reachedAtMs: number | null = null;
  let error: ServiceContact['error'] = null;
  let mayRenew = true;
  let renewal: string | null = null;

  function met(contact: Contact): void {
    if (contact.state === 'reached') {
      if (error !== null) logger.info({ event: 'service_reached' }, 'the sync service is reached again');
      reachedAtMs = clock.now();
      error = null;
      return;
    }
    const { code, message } = contact;
    // Told once, and again when it is something else: an absence of days is no log of days.
    if (error?.code !== code) logger.warn({ event: 'service_away', code }, message);
    error = { code, message };
  }

  async function renew(): Promise<void> {
    try {
      identity = await renewIdentity(client, identity, stateDir);
      const before = client;
      client = createServiceClient({ identity, service, held, ending });
      clock.after(CLIENT_GRACE_MS, () => before.close());
      mayRenew = false;
      clock.after(LEAST_BETWEEN_RENEWALS_MS, () => {
        mayRenew = true;
      });
      renewal = null;
      logger.info({ event: 'certificate_renewed', ends: endOf(identity.certificate) }, 'the certificate was renewed');
    } catch (thrown) {
      const code = thrown instanceof EdgewardError ? thrown.code : 'EDW_ERR_INTERNAL';
      if (renewal === null) logger.warn({ event: 'certificate_not_renewed', code, err: thrown }, messageOf(thrown));
      renewal = `the certificate could not be renewed: ${messageOf(thrown)}`;
    }
  }

  return {
    client: () => client,
    identity: () => identity,
    met,
    contact: () => ({
      urls: service.length > 0 ? service : identity.service,
      reachedAt: reachedAtMs === null ? null : new Date(reachedAtMs).toISOString(),
      error,
    }),
    wasReached: () => reachedAtMs !== null,
    async tend() {
      if (mayRenew && error === null && reachedAtMs !== null && clock.now() >= renewAtMs(identity.certificate))
        await renew();
    },
    warnings: () => (renewal === null ? [] : [renewal]),
    close: () => client.close(),
  };
}
