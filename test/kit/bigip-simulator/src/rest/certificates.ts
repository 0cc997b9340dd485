/** A certificate authority made at the start, and a certificate of each unit for 127.0.0.1 and localhost. */
import { generate } from 'selfsigned';

export interface Authority {
  /** PEM. */
  cert: string;
  issue(hostname: string): Promise<{ key: string; cert: string }>;
}

const common = { keyType: 'ec', algorithm: 'sha256' } as const;

export async function createAuthority(): Promise<Authority> {
  const name = [{ name: 'commonName', value: 'simulated BIG-IP authority' }];
  const authority = await generate(name, {
    ...common,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return {
    cert: authority.cert,
    async issue(hostname) {
      const issued = await generate([{ name: 'commonName', value: hostname }], {
        ...common,
        ca: { key: authority.private, cert: authority.cert },
        extensions: [
          { name: 'basicConstraints', cA: false },
          { name: 'keyUsage', digitalSignature: true },
          { name: 'extKeyUsage', serverAuth: true },
          {
            name: 'subjectAltName',
            altNames: [
              { type: 2, value: hostname },
              { type: 2, value: 'localhost' },
              { type: 7, ip: '127.0.0.1' },
              { type: 7, ip: '::1' },
            ],
          },
        ],
      });
      return { key: issued.private, cert: issued.cert };
    },
  };
}
