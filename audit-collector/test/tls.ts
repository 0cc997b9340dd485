/** Certificates for tests: an authority, and what it signs. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate } from 'selfsigned';

export interface Pair {
  key: string;
  cert: string;
}

export interface Authority extends Pair {
  sign(name: string): Promise<Pair>;
}

const options = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const;
const named = (name: string): { name: string; value: string }[] => [{ name: 'commonName', value: name }];

export async function authority(name: string): Promise<Authority> {
  const own = await generate(named(name), {
    ...options,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const ca = { key: own.private, cert: own.cert };
  return {
    ...ca,
    async sign(subject) {
      const signed = await generate(named(subject), {
        ...options,
        ca,
        extensions: [
          { name: 'basicConstraints', cA: false },
          { name: 'keyUsage', digitalSignature: true },
          { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
          { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
        ],
      });
      return { key: signed.private, cert: signed.cert };
    },
  };
}

/** The files that a listener names; the key is closed to others. */
export function writeFiles(
  dir: string,
  server: Pair,
  clientCa: Pair,
): { certFile: string; keyFile: string; clientCaFile: string } {
  const files = {
    certFile: join(dir, 'cert.pem'),
    keyFile: join(dir, 'key.pem'),
    clientCaFile: join(dir, 'client-ca.pem'),
  };
  writeFileSync(files.certFile, server.cert);
  writeFileSync(files.keyFile, server.key, { mode: 0o600 });
  writeFileSync(files.clientCaFile, clientCa.cert);
  return files;
}
