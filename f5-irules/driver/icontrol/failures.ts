/** Every failure of the client: its code, and the mend that a person is given. */
import { EdgewardError } from '@edgeward/runtime';
import type { Failed } from './call.ts';

const MENDS = {
  EDW_ERR_POINT_UNREACHABLE:
    'Check the address of this point in edgeward.yaml and that the BIG-IP is up. While it restarts there is nothing to do: it is tried again.',
  EDW_ERR_BIGIP_CERTIFICATE:
    'Let `ca` of this point name the authority that signed the certificate of the BIG-IP, and its address be a name in that certificate.',
  EDW_ERR_BIGIP_URL: 'Write the address of this point as https://HOST or https://HOST:PORT.',
  EDW_ERR_BIGIP_LOGIN:
    'Check user and password file of this point in edgeward.yaml, and that the account is not locked on the BIG-IP.',
  EDW_ERR_BIGIP_RIGHTS:
    'Give the user of this point a role that allows this call in this partition; the documentation lists every call.',
  EDW_ERR_BIGIP_TOKENS_EXHAUSTED:
    'Wait until tokens of this user end (20 minutes at most), or delete some below /mgmt/shared/authz/tokens. Give Edgeward a user of its own.',
  EDW_ERR_BIGIP_BUSY:
    'Nothing to do: it is tried again. If it stays so, look for a long task on the BIG-IP: a UCS backup, a load, a config-sync.',
  EDW_ERR_BIGIP_EXISTS:
    'Somebody else made this object. Compare it, and rename or delete it if Edgeward may have the name.',
  EDW_ERR_BIGIP_NOT_FOUND:
    'Somebody deleted this object meanwhile. The next run reads what is there and makes it anew.',
  EDW_ERR_BIGIP_IN_USE: 'Take this object out of what refers to it first.',
  EDW_ERR_BIGIP_REFUSED: 'Mend what the BIG-IP names. If Edgeward made what it refuses, report it with this message.',
  EDW_ERR_BIGIP_ANSWER:
    'Check that the address of this point is the management address of a BIG-IP, and that no proxy stands before it.',
  EDW_ERR_BIGIP_UPLOAD: 'This is a bug: report it.',
} as const;

export type FailureCode = keyof typeof MENDS;

export function failure(code: FailureCode, message: string, cause?: unknown): EdgewardError {
  return new EdgewardError(code, message, { mend: MENDS[code], cause });
}

export function failed(effect: Failed['effect'], error: EdgewardError): Failed {
  return { state: 'failed', error, effect };
}

const MAX_TEXT = 400;

/** What a box says, fit for a log line and a terminal: no control characters, none that turn the direction, bounded. */
export function cleanText(text: string): string {
  const plain = text
    .slice(0, MAX_TEXT * 2)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\s]+/gu, ' ')
    .trim();
  return plain.length > MAX_TEXT ? `${plain.slice(0, MAX_TEXT)}…` : plain;
}
