/** People with keys and certificates, who ask a store over mutual TLS. What they were answered is all that they know. */
import { request } from 'node:https';
import { generateSigningKey, type Person, type SigningKey } from '@edgeward/policy-format';
import type { CertificateFiles, TestCertificates } from '@edgeward/test/kit';

const ROLES = {
  ada: ['author'],
  cleo: ['approver'],
  eve: ['publisher'],
  flo: ['viewer', 'auditor'],
} as const;

export type Name = keyof typeof ROLES;

export interface People {
  keys: Record<Name, SigningKey>;
  /** For the trust root. */
  listed: Person[];
  /** Throws where there is no whole answer within some seconds. */
  ask(who: Name, port: number, call: Call): Promise<PersonAnswer>;
}

export interface Call {
  path: string;
  body?: unknown;
}

export interface PersonAnswer {
  status: number;
  json: unknown;
}

const TIMEOUT_MS = 8_000;

export async function peopleOf(certificates: TestCertificates): Promise<People> {
  const names = Object.keys(ROLES) as Name[];
  const made = await Promise.all(names.map(async (name) => [name, await generateSigningKey()] as const));
  const keys = Object.fromEntries(made) as Record<Name, SigningKey>;
  const issued = await Promise.all(names.map(async (name) => [name, await certificates.person(name)] as const));
  const files = Object.fromEntries(issued) as Record<Name, CertificateFiles>;
  return {
    keys,
    listed: names.map((name) => ({ name, roles: [...ROLES[name]], keys: [keys[name].publicKey] })),
    ask: (who, port, call) => ask(files[who], port, call),
  };
}

function ask({ cert, key, ca }: CertificateFiles, port: number, { path, body }: Call): Promise<PersonAnswer> {
  const bytes = body === undefined ? null : Buffer.from(JSON.stringify(body));
  const headers = bytes === null ? {} : { 'content-length': bytes.length };
  const method = bytes === null ? 'GET' : 'POST';
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers, ca, cert, key, agent: false, signal });
    sent.on('error', reject);
    sent.on('response', async (response) => {
      try {
        const chunks: Buffer[] = await response.toArray();
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, json: text === '' ? null : JSON.parse(text) });
      } catch (thrown) {
        reject(thrown);
      }
    });
    sent.end(bytes ?? undefined);
  });
}
