import type { X509Certificate } from 'node:crypto';
import { identityOf } from '@edgeward/certificates';

/** The point that a client certificate names. Null for a person, and for one of several points: a host is one. */
export function pointOf(peer: X509Certificate): string | null {
  const { points, person } = identityOf(peer);
  return person === null && points.length === 1 ? (points[0] ?? null) : null;
}
