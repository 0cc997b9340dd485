/**
 * Large bodies are held whole while they are read and looked at: each person has one of them in work at a time. It has its
 * place from the door until its request is over, and the server waits for no body for ever.
 */
import type { HttpRoute, TlsRequest } from '@edgeward/runtime';

/** `headers` stand for one request, from the door to its end. */
export interface LargeBodies {
  /** 0 when it may come; else in how many milliseconds to ask again. */
  admit(person: string, headers: Headers, route: Route): number;
  /** Of any request, however it ended. */
  over(headers: Headers): void;
}

type Headers = TlsRequest['headers'];
type Route = Pick<HttpRoute<TlsRequest>, 'maxBodyBytes'>;

const LARGE_BYTES = 1024 * 1024;
/** Nobody knows when the one before it ends. */
const AGAIN_MS = 5_000;

export function createLargeBodies(): LargeBodies {
  const inWork = new Map<string, Headers>();
  return {
    admit(person, headers, route) {
      if (!isLarge(headers, route)) return 0;
      if (inWork.has(person)) return AGAIN_MS;
      inWork.set(person, headers);
      return 0;
    },
    over(headers) {
      for (const [person, held] of inWork) if (held === headers) inWork.delete(person);
    },
  };
}

/** What does not say how large it is may be as large as the route takes. */
function isLarge(headers: Headers, { maxBodyBytes = 0 }: Route): boolean {
  if (maxBodyBytes <= LARGE_BYTES) return false;
  return !(Number(headers['content-length']) <= LARGE_BYTES);
}
