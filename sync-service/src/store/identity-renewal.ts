/**
 * The certificate that this service shows its store, and the authority that it believes, are read again when one of their
 * files changed. They are used together or not at all: a pair that is half written changes nothing, is told of once, and is
 * looked at again. Compared by what they hold, since a file may be written within the moment that it is read in.
 */
import type { TlsTexts, Transport } from '@edgeward/policy-feed';
import { type Clock, type Logger, messageOf, repeatedly, systemClock } from '@edgeward/runtime';

export interface IdentityRenewal {
  /** Now. Throws nothing. */
  look(): Promise<void>;
  /** A look that is under way renews nothing any more. */
  close(): void;
}

export interface IdentityRenewalOptions {
  transport: Pick<Transport, 'name' | 'renew'>;
  /** What the transport was opened with. */
  held: TlsTexts;
  read: () => Promise<TlsTexts>;
  logger: Logger;
  clock?: Clock;
  random?: () => number;
}

/** As often as servers look at theirs, and not all services of one machine at once. */
const LOOK_MS = 5_000;

export function renewIdentity(options: IdentityRenewalOptions): IdentityRenewal {
  const { transport, read, logger, clock = systemClock, random = Math.random } = options;
  let { held } = options;
  let told: string | null = null;
  let closed = false;

  async function look(): Promise<void> {
    try {
      const found = await read();
      if (closed) return;
      if (!isSame(found, held)) {
        transport.renew?.(found);
        held = found;
        logger.info(
          { event: 'store_tls_reloaded', store: transport.name },
          'certificates for the store were read again',
        );
      }
      told = null;
    } catch (thrown) {
      const why = messageOf(thrown);
      if (why === told || closed) return;
      told = why;
      logger.error({ event: 'store_tls_reload_failed', store: transport.name, err: thrown }, why);
    }
  }

  const stop = repeatedly(clock, LOOK_MS * (1 + random()), look);
  return {
    look,
    close() {
      closed = true;
      stop();
    },
  };
}

function isSame(one: TlsTexts, other: TlsTexts): boolean {
  return one.ca === other.ca && one.cert === other.cert && one.key === other.key;
}
