import type { X509Certificate } from 'node:crypto';
import { isName } from '@edgeward/policy-format';

/**
 * Who a client certificate says its holder is. Only the names `urn:edgeward:point:NAME` and `urn:edgeward:person:NAME`
 * among the URIs of its subject alternative name count; its subject, its other names and the request count for nothing.
 * Whether the certificate is good at all is the TLS server's to say, before anybody asks here.
 */
export interface Identity {
  /** Sorted, each once. */
  points: string[];
  person: string | null;
}

/** Of `socket.getPeerX509Certificate()`. Whatever is not understood whole is nobody: two people, another `urn:edgeward:`. */
export function identityOf(certificate: Pick<X509Certificate, 'subjectAltName'> | undefined): Identity {
  const uris = urisIn(certificate?.subjectAltName ?? '');
  const names = (uris ?? []).filter((uri) => uri.startsWith(PREFIX)).map(nameIn);
  const people = new Set(names.flatMap((name) => (name?.kind === 'person' ? [name.name] : [])));
  if (names.includes(null) || people.size > 1) return { points: [], person: null };
  const points = new Set(names.flatMap((name) => (name?.kind === 'point' ? [name.name] : [])));
  return { points: [...points].sort(), person: [...people][0] ?? null };
}

export type IdentityName = { kind: 'point' | 'person'; name: string };

/** `urn:edgeward:point:edge-1`, or null. */
export function nameIn(uri: string): IdentityName | null {
  const [, kind, name] = /^urn:edgeward:(point|person):(.*)$/.exec(uri) ?? [];
  return (kind === 'point' || kind === 'person') && isName(name) ? { kind, name } : null;
}

const PREFIX = 'urn:edgeward:';

/**
 * Node writes `DNS:a, URI:b`, and quotes a value that has a comma, a quote, a backslash or a character that does not print
 * (since CVE-2021-44532). So a value cannot end early and begin another entry; a quoted one holds no name of ours. Null
 * for a text that does not read like that to its end.
 */
function urisIn(subjectAltName: string): string[] | null {
  const uris: string[] = [];
  for (let at = 0; at < subjectAltName.length; ) {
    ENTRY.lastIndex = at;
    const [entry, kind, value] = ENTRY.exec(subjectAltName) ?? [];
    if (entry === undefined) return null;
    if (kind === 'URI' && value !== undefined && !value.startsWith('"')) uris.push(value);
    at += entry.length;
  }
  return uris;
}

/** One entry, with what divides it from the next: `, `, or the end. */
const ENTRY = /([A-Za-z][A-Za-z ]*):("(?:[^"\\]|\\.)*"|[^",\\]*)(?:, (?=.)|$)/y;
