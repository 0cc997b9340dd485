import { X509Certificate } from 'node:crypto';
import { chmod, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import t, { type Test } from 'tap';
import { createAuthority, openAuthority } from '../src/authority.ts';
import { type CertificateRequest, type IssuedCertificate, issueCertificate } from '../src/certificate.ts';
import { type Identity, identityOf } from '../src/identity.ts';

const DAY_MS = 86_400_000;
const ana = { uris: ['urn:edgeward:person:ana'], days: 1 };
const host = { uris: [], hosts: ['localhost', '127.0.0.1', '::1'], days: 1, server: true };
const folder = t.testdir({ own: {}, other: {} });
const authority = await createAuthority(join(folder, 'own'));
const other = await createAuthority(join(folder, 'other'));

type Met = { server: Identity | string; client: string };

/** Whom the server sees, or why it trusts nobody there; and why the client does not trust the server, or `trusts`. */
async function meet(t: Test, server: IssuedCertificate, client: IssuedCertificate | null): Promise<Met> {
  const options: TlsOptions = {
    cert: server.certificate,
    key: server.key,
    ca: authority.certificate,
    requestCert: true,
    // What a store never does: here the reason is asked for, which a refused connection does not tell.
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
  };
  const listener = createServer(options);
  t.teardown(() => listener.close());
  const seen = new Promise<Identity | string>((resolve) => {
    listener.once('tlsClientError', () => resolve('the client left'));
    listener.once('secureConnection', (socket: TLSSocket) => {
      socket.on('error', () => {});
      resolve(socket.authorized ? identityOf(socket.getPeerX509Certificate()) : String(socket.authorizationError));
      socket.end();
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  const own = client === null ? {} : { cert: client.certificate, key: client.key };
  const socket = connect({ host: '127.0.0.1', port, ca: authority.certificate, ...own });
  t.teardown(() => socket.destroy());
  const trusted = new Promise<string>((resolve) => {
    socket.once('error', (error: Error & { code?: string }) => resolve(error.code ?? error.message));
    socket.once('secureConnect', () => resolve('trusts'));
  });
  socket.resume();
  const [serverSays, clientSays] = await Promise.all([seen, trusted]);
  return { server: serverSays, client: clientSays };
}

t.test('a client of the authority is seen as who it was issued to, and nobody else is let in', async (t) => {
  const server = await issueCertificate(authority, host);
  const points = ['urn:edgeward:point:edge-2', 'urn:edgeward:point:edge-1'];
  const longAgo = Date.now() - 3 * DAY_MS;
  const table: Record<string, [IssuedCertificate | null, Identity | string]> = {
    'a person': [await issueCertificate(authority, ana), { points: [], person: 'ana' }],
    'points of one service': [
      await issueCertificate(authority, { uris: points, days: 1 }),
      { points: ['edge-1', 'edge-2'], person: null },
    ],
    'a server that is a point too': [
      await issueCertificate(authority, { ...host, uris: ['urn:edgeward:point:edge-1'] }),
      { points: ['edge-1'], person: null },
    ],
    'no certificate': [null, 'UNABLE_TO_GET_ISSUER_CERT'],
    'one of another authority': [await issueCertificate(other, ana), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    'one that has ended': [await issueCertificate(authority, { ...ana, nowMs: longAgo }), 'CERT_HAS_EXPIRED'],
    'one that is not good yet': [
      await issueCertificate(authority, { ...ana, nowMs: Date.now() + 2 * DAY_MS }),
      'CERT_NOT_YET_VALID',
    ],
    'one for servers alone': [server, 'INVALID_PURPOSE'],
    'that of the authority itself': [authority, 'INVALID_PURPOSE'],
  };
  for (const [name, [client, expected]] of Object.entries(table))
    t.strictSame((await meet(t, server, client)).server, expected, name);
});

t.test('a client believes in no server of another authority, of another name, and in no client', async (t) => {
  const client = await issueCertificate(authority, ana);
  const table: Record<string, [IssuedCertificate, string]> = {
    'the server': [await issueCertificate(authority, host), 'trusts'],
    'one of another authority': [await issueCertificate(other, host), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    'one of another name': [
      await issueCertificate(authority, { ...host, hosts: ['store.example', '10.0.0.1'] }),
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
    'a person': [client, 'INVALID_PURPOSE'],
  };
  for (const [name, [server, expected]] of Object.entries(table))
    t.equal((await meet(t, server, client)).client, expected, name);
});

t.test('a leaf can not be used as an authority', async (t) => {
  const leaf = await issueCertificate(authority, ana);
  const forged = await issueCertificate(
    { certificate: leaf.certificate, key: leaf.key },
    {
      ...ana,
      nowMs: Date.now() - 1000 * 3600,
      uris: ['urn:edgeward:person:ben'],
    },
  );
  const server = await issueCertificate(authority, host);
  const chained = { certificate: `${forged.certificate}${leaf.certificate}`, key: forged.key };
  t.type((await meet(t, server, chained)).server, 'string', 'a reason, and nobody');
});

t.test('the key of the authority is closed to others, and is never replaced', async (t) => {
  const dir = join(t.testdir(), 'new', 'authority');
  const made = await createAuthority(dir);
  t.equal((await stat(join(dir, 'authority-key.pem'))).mode & 0o777, 0o600);
  t.strictSame(await openAuthority(dir), made);
  await t.rejects(createAuthority(dir), { code: 'EDW_ERR_AUTHORITY', mend: /that is there/ });
  t.strictSame(await openAuthority(dir), made, 'the first one is still there');
  await chmod(join(dir, 'authority-key.pem'), 0o644);
  await t.rejects(openAuthority(dir), { code: 'EDW_ERR_SECRET_FILE' });
});

t.test('half an authority is none', async (t) => {
  const cases: Record<string, (dir: string) => Promise<void>> = {
    'no certificate': (dir) => rm(join(dir, 'authority.pem')),
    'a certificate of another key': (dir) => writeFile(join(dir, 'authority.pem'), other.certificate),
    'a certificate of no authority': async (dir) =>
      writeFile(join(dir, 'authority.pem'), (await issueCertificate(await openAuthority(dir), ana)).certificate),
    'a certificate that is none': (dir) => writeFile(join(dir, 'authority.pem'), 'x'),
    'a key that is none': (dir) => writeFile(join(dir, 'authority-key.pem'), 'x\n'),
  };
  const base = t.testdir();
  for (const [name, harm] of Object.entries(cases)) {
    const dir = join(base, name.replaceAll(' ', '-'));
    await createAuthority(dir);
    await harm(dir);
    await t.rejects(openAuthority(dir), { code: 'EDW_ERR_AUTHORITY' }, name);
  }
  await t.rejects(openAuthority(join(base, 'nowhere')), { code: 'EDW_ERR_SECRET_FILE' });
});

t.test('certificates are of P-256, for as long as asked, under names of their own', async (t) => {
  const nowMs = Date.now();
  const { certificate } = await issueCertificate(authority, { ...ana, days: 30, nowMs });
  const leaf = new X509Certificate(certificate);
  t.equal(leaf.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  t.equal(leaf.ca, false);
  t.equal(leaf.validToDate.getTime(), Math.floor((nowMs + 30 * DAY_MS) / 1000) * 1000);
  t.ok(leaf.validFromDate.getTime() < nowMs, 'a clock may be a little behind');
  t.ok(leaf.verify(new X509Certificate(authority.certificate).publicKey));
  const second = new X509Certificate((await issueCertificate(authority, ana)).certificate);
  t.not(second.serialNumber, leaf.serialNumber);
  const [own, foreign] = [authority, other].map((it) => new X509Certificate(it.certificate));
  t.not(own?.subject, foreign?.subject, 'two authorities are told apart');
  t.ok((own?.validToDate.getTime() ?? 0) > nowMs + 9 * 365 * DAY_MS);
  t.equal(await readFile(join(folder, 'own', 'authority.pem'), 'utf8'), authority.certificate);
});

t.test('no two kinds of holder have one subject, whatever they are called', async (t) => {
  const subjectOf = async (...uris: string[]): Promise<string> =>
    new X509Certificate((await issueCertificate(authority, { uris, days: 1 })).certificate).subject;
  const [point, person] = ['urn:edgeward:point:ana', 'urn:edgeward:person:ana'];
  t.equal(await subjectOf(point), 'CN=ana');
  for (const uris of [[person], [point, person], [person, point]])
    t.equal(await subjectOf(...uris), 'OU=person\nCN=ana', uris.join());
});

const bad: Record<string, Partial<CertificateRequest>> = {
  'no name at all': { uris: [] },
  'a URI of somebody else': { uris: ['spiffe://example/ana'] },
  'a name with a comma': { uris: ['urn:edgeward:person:ana, URI:urn:edgeward:person:ben'] },
  'a name with an equals sign': { uris: ['urn:edgeward:person:ana=x'] },
  'a name that ends a line': { uris: ['urn:edgeward:person:ana\n'] },
  'no name in it': { uris: ['urn:edgeward:point:'] },
  'two people': { uris: ['urn:edgeward:person:ana', 'urn:edgeward:person:ben'] },
  'a server without a host': { server: true },
  'a host with a comma': { hosts: ['a.example, URI:urn:edgeward:person:ben'], server: true },
  'a host with NUL': { hosts: ['a.example\u0000'], server: true },
  'an empty host': { hosts: [''], server: true },
  'a host with an underscore': { hosts: ['a_b.example'], server: true },
  'no day': { days: 0 },
  'half a day': { days: 0.5 },
  'no number of days': { days: Number.NaN },
  'a hundred years': { days: 36_500 },
  'longer than the authority': { days: 3650, nowMs: Date.now() + 30 * DAY_MS },
};

t.test('what no end of a connection needs is not issued', async (t) => {
  for (const [name, change] of Object.entries(bad))
    await t.rejects(issueCertificate(authority, { ...ana, ...change }), { code: 'EDW_ERR_CERTIFICATE_REQUEST' }, name);
});
