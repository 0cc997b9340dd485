/**
 * Who this service is to NATS: one secret file that holds any of the three things that NATS knows.
 *
 *     user:password            one line
 *     SUA…                     the seed of an nkey
 *     -----BEGIN NATS USER JWT-----   a creds file
 *
 * What it holds is never in a message.
 */
import { EdgewardError, readSecret } from '@edgeward/runtime';
import {
  type Authenticator,
  credsAuthenticator,
  nkeyAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';

export type NatsCredentials =
  | { kind: 'password'; user: string; password: string }
  | { kind: 'nkey'; seed: string }
  | { kind: 'creds'; text: string };

/** Throws EDW_ERR_SECRET_FILE, EDW_ERR_NATS_CREDENTIALS. */
export async function readNatsCredentials(file: string): Promise<NatsCredentials> {
  const text = (await readSecret(file)).trim();
  if (text.includes('-----BEGIN NATS USER JWT-----')) return { kind: 'creds', text };
  if (/^SU[A-Z2-7]{56}$/.test(text)) return { kind: 'nkey', seed: text };
  const colon = text.indexOf(':');
  if (colon > 0 && colon < text.length - 1 && !/[\r\n]/.test(text))
    return { kind: 'password', user: text.slice(0, colon), password: text.slice(colon + 1) };
  throw new EdgewardError(
    'EDW_ERR_NATS_CREDENTIALS',
    `reading the NATS credentials in ${file}: they are of no known form`,
    {
      mend: 'Write one line `user:password`, or the seed of an nkey (SU…), or use the creds file that nsc made.',
    },
  );
}

export function authenticatorOf(credentials: NatsCredentials): Authenticator {
  if (credentials.kind === 'password') return usernamePasswordAuthenticator(credentials.user, credentials.password);
  const encoded = new TextEncoder().encode(credentials.kind === 'nkey' ? credentials.seed : credentials.text);
  return credentials.kind === 'nkey' ? nkeyAuthenticator(encoded) : credsAuthenticator(encoded);
}
