/** A request to the sync service and its answer; what went wrong with it is said in the words of a host. */
import {
  EdgewardError,
  type ExchangeFailures,
  type HttpsAnswer,
  type HttpsAsked,
  httpsExchange,
} from '@edgeward/runtime';

/** Throws EDW_ERR_SERVICE_UNREACHABLE, and EDW_ERR_SERVICE_ANSWER for what is too large or can't be unpacked. */
export function exchange(asked: HttpsAsked): Promise<HttpsAnswer> {
  return httpsExchange(asked, failures);
}

export function unreachable(url: string, why: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_SERVICE_UNREACHABLE', `calling ${url}: ${why}`, {
    mend: 'What is in force on this host stays. Start the sync service, or look at what stands between it and this host.',
    cause,
  });
}

export function badAnswer(url: string, why: string): EdgewardError {
  return new EdgewardError('EDW_ERR_SERVICE_ANSWER', `reading the answer of ${url}: ${why}`, {
    mend: 'Check that what answers there is the sync service, and of the same version as this agent.',
  });
}

const failures: ExchangeFailures = { unreachable, badAnswer };
