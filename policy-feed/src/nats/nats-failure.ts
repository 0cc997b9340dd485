/** What went wrong between this service and NATS, as a coded error. Text of a server is repeated cleaned and short. */
import { type EdgewardError, systemCodeOf } from '@edgeward/runtime';
import { AuthorizationError, PermissionViolationError } from '@nats-io/transport-node';
import { isCertificateFault } from '../certificate-fault.ts';
import { cleanText, storeFailure } from '../failures.ts';

/** `doing` says what was being done. */
export function natsFailure(doing: string, thrown: unknown): EdgewardError {
  const chain = causesOf(thrown);
  const said = chain.find((it) => it.message !== '')?.message ?? String(thrown);
  const message = `${doing}: ${cleanText(said)}`;
  if (chain.some((it) => it instanceof PermissionViolationError || it instanceof AuthorizationError))
    return storeFailure('EDW_ERR_STORE_REFUSED', message, thrown);
  if (chain.some((it) => isCertificateFault(systemCodeOf(it) ?? '')))
    return storeFailure('EDW_ERR_STORE_CERTIFICATE', message, thrown);
  return storeFailure('EDW_ERR_STORE_UNREACHABLE', message, thrown);
}

function causesOf(thrown: unknown): Error[] {
  const chain: Error[] = [];
  for (let it = thrown; it instanceof Error && chain.length < 8; it = it.cause) chain.push(it);
  return chain;
}

/** The work, or the end that the caller wished, whichever comes first. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    // What was given up still ends some time, and nobody else waits for it.
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
    if (signal.aborted) stop();
  });
}
