/**
 * An authority, and the files of whoever has a certificate of it, for tests of mutual TLS. Made by the product's own code,
 * in the folder that is given; nothing is kept between two tests.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Authority, type CertificateRequest, createAuthority, issueCertificate } from '@edgeward/certificates';

export interface CertificateFiles {
  /** PEM, as `tls.connect` and `https` take it. */
  cert: string;
  key: string;
  /** What signed it. */
  ca: string;
  certFile: string;
  keyFile: string;
  caFile: string;
}

export interface TestCertificates {
  authority: Authority;
  ca: string;
  caFile: string;
  /** For localhost, 127.0.0.1 and ::1; with `peer` it is a client as well, as servers among themselves are. */
  server(options?: { hosts?: string[]; peer?: string }): Promise<CertificateFiles>;
  point(...names: string[]): Promise<CertificateFiles>;
  person(name: string): Promise<CertificateFiles>;
  /** Any other: another time, several names. */
  issue(request: CertificateRequest): Promise<CertificateFiles>;
}

/** `folder` is made if it is missing; two authorities need two folders. */
export async function testCertificates(folder: string): Promise<TestCertificates> {
  const authority = await createAuthority(folder);
  const ca = authority.certificate;
  const caFile = join(folder, 'ca.pem');
  await mkdir(folder, { recursive: true });
  await writeFile(caFile, ca);
  let issued = 0;
  const issue = async (request: CertificateRequest): Promise<CertificateFiles> => {
    const { certificate: cert, key } = await issueCertificate(authority, request);
    issued += 1;
    const [certFile, keyFile] = [join(folder, `${issued}.pem`), join(folder, `${issued}-key.pem`)];
    await Promise.all([writeFile(certFile, cert), writeFile(keyFile, key, { mode: 0o600 })]);
    return { cert, key, ca, certFile, keyFile, caFile };
  };
  return {
    authority,
    ca,
    caFile,
    server({ hosts = ['localhost', '127.0.0.1', '::1'], peer } = {}) {
      const uris = peer === undefined ? [] : [`urn:edgeward:point:${peer}`];
      return issue({ uris, hosts, days: 1, server: true });
    },
    point: (...names) => issue({ uris: names.map((name) => `urn:edgeward:point:${name}`), days: 1 }),
    person: (name) => issue({ uris: [`urn:edgeward:person:${name}`], days: 1 }),
    issue,
  };
}
