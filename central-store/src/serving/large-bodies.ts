/**
 * Large bodies are held whole while they are read and looked at: each person has one of them in work at a time. A body that
 * never comes whole holds its place only as long as the server waits for bodies.
 */
import type { HttpRoute, TlsRequest } from '@edgeward/runtime';

/** `headers` stand for one request, from the door to its answer. */
export interface LargeBodies {
  /** 0 when it may come; else in how many milliseconds to ask again. */
  admit(person: string, headers: Headers, route: Route, nowMs: number): number;
  /** Its body is there. */
  begun(headers: Headers): void;
  done(headers: Headers): void;
}

type Headers = TlsRequest['headers'];
type Route = Pick<HttpRoute<TlsRequest>, 'maxBodyBytes'>;

const LARGE_BYTES = 1024 * 1024;
/** The server waits 15 s for a body, and looks every 5 s. */
const ARRIVAL_MS = 25_000;
/** For what nobody knows the end of. */
const AGAIN_MS = 5_000;

export function createLargeBodies(): LargeBodies {
  const inWork = new Map<string, { headers: Headers; untilMs: number }>();

  function placeOf(headers: Headers): [person: string, place: { untilMs: number }] | undefined {
    return [...inWork].find(([, place]) => place.headers === headers);
  }

  return {
    admit(person, headers, route, nowMs) {
      if (!isLarge(headers, route)) return 0;
      const held = inWork.get(person);
      if (held !== undefined && held.untilMs > nowMs) return Math.min(held.untilMs - nowMs, AGAIN_MS);
      inWork.set(person, { headers, untilMs: nowMs + ARRIVAL_MS });
      return 0;
    },
    begun(headers) {
      const found = placeOf(headers);
      if (found !== undefined) found[1].untilMs = Number.POSITIVE_INFINITY;
    },
    done(headers) {
      const found = placeOf(headers);
      if (found !== undefined) inWork.delete(found[0]);
    },
  };
}

/** What does not say how large it is may be as large as the route takes. */
function isLarge(headers: Headers, { maxBodyBytes = 0 }: Route): boolean {
  if (maxBodyBytes <= LARGE_BYTES) return false;
  return !(Number(headers['content-length']) <= LARGE_BYTES);
}
