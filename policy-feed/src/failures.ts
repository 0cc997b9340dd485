/**
 * What can go wrong on the way to a store. Every one of them leaves in force what is in force. Text that a store or a
 * mirror wrote reaches a message only through `cleanText`, so that nobody writes into a log or a terminal from there.
 */
import { EdgewardError } from '@edgeward/runtime';

const MENDS = {
  EDW_ERR_STORE_UNREACHABLE:
    'What is in force stays, and the store is asked again. Check that it runs and that this machine reaches it; one that hangs up at once may not believe the certificate of this service.',
  EDW_ERR_STORE_REFUSED:
    'The store does not let this service do that. Check which points and roles its certificate or credentials name.',
  EDW_ERR_STORE_ANSWER:
    'What is in force stays. Check that the address is that of a store, and what stands between it and this service.',
  EDW_ERR_STORE_NO_POINT:
    'Check the name of the point, and that a published version of the policy has it. What is in force stays.',
  EDW_ERR_STORE_CERTIFICATE:
    'Check certFile, keyFile and caFile, that the certificate of the store names its host, and when each of them ends.',
  EDW_ERR_STORE_URL:
    'Write https:// and a host that resolves to addresses of machines, as in https://store.example:9443. Without https a literal loopback address only.',
} as const;

export type StoreFailureCode = keyof typeof MENDS;

/** `message` says what was being done, and what came of it. */
export function storeFailure(code: StoreFailureCode, message: string, cause?: unknown): EdgewardError {
  return new EdgewardError(code, message, { mend: MENDS[code], ...(cause === undefined ? {} : { cause }) });
}

const MAX_TEXT = 200;

/** One line, short, without anything that a terminal would obey. */
export function cleanText(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]+/gu, ' ').trim();
  return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT)}…` : line;
}
