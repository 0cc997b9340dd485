/** What each command about a running store begins with: the profile, the way there, and who this person is by certificate. */
import { X509Certificate } from 'node:crypto';
import { identityOf } from '@edgeward/certificates';
import { storeFailure } from '@edgeward/policy-feed';
import { messageOf } from '@edgeward/runtime';
import type { Context, Option } from '../frame/command.ts';
import { durationOption } from '../frame/option-values.ts';
import { usageError } from '../frame/usage-error.ts';
import { openExchange } from './client/exchange.ts';
import { createStoreClient, type StoreClient } from './client/store-client.ts';
import { type Profile, profileOptions, readProfile } from './profile.ts';

export interface StoreSession {
  profile: Profile;
  client: StoreClient;
  /** The person that the certificate names. The store goes by it too. */
  person: string;
}

export const storeOptions: Record<string, Option> = {
  ...profileOptions,
  timeout: { type: 'string', value: 'TIME', says: 'How long to wait for an answer, as in 5s; 30s without it.' },
};

export const storeExits = {
  4: 'the store gave no whole answer within --timeout',
  69: 'the store is not there, or answers as none would',
  78: 'the profile, a certificate or a key is invalid',
} as const;

export const storeUsage = '[--profile FILE]';

const DEFAULT_TIMEOUT_MS = 30_000;

/** Throws EDW_ERR_USAGE, EDW_ERR_CONFIG, EDW_ERR_CONFIG_FILE, EDW_ERR_STORE_CERTIFICATE, EDW_ERR_SECRET_FILE. */
export async function openSession(context: Context, command: string): Promise<StoreSession> {
  const timeoutMs = durationOption(context, 'timeout', command) ?? DEFAULT_TIMEOUT_MS;
  if (timeoutMs === 0) throw usageError('--timeout: no answer comes in no time', command);
  const profile = await readProfile(context, command);
  const exchange = await openExchange(profile, timeoutMs);
  const person = personIn(exchange.certificate, profile.certFile);
  return { profile, client: createStoreClient(exchange), person };
}

function personIn(pem: string, path: string): string {
  const { person } = identityOf(certificateOf(pem, path));
  if (person !== null) return person;
  throw storeFailure('EDW_ERR_STORE_CERTIFICATE', `reading ${path}: the certificate names no person`);
}

function certificateOf(pem: string, path: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (thrown) {
    throw storeFailure('EDW_ERR_STORE_CERTIFICATE', `reading ${path}: ${messageOf(thrown)}`, thrown);
  }
}
