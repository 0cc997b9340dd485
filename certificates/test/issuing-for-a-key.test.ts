import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import t from 'tap';
import { createAuthority } from '../src/authority.ts';
import { issueCertificate, issueCertificateFor } from '../src/certificate.ts';
import { identityOf } from '../src/identity.ts';
import { issueNumberOf, serialNumberOf } from '../src/issue-number.ts';

const authority = await createAuthority(join(t.testdir(), 'authority'));
const request = { uris: ['urn:edgeward:point:host-1'], days: 30 };
const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ownPem = spki(own.publicKey);

function spki(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

t.test(
  'a key that stays where it is gets a certificate that fits it, under the name that was asked for here',
  async (t) => {
    const leaf = new X509Certificate(await issueCertificateFor(authority, ownPem, request));
    t.ok(leaf.checkPrivateKey(own.privateKey));
    t.ok(leaf.verify(new X509Certificate(authority.certificate).publicKey));
    t.ok(leaf.checkIssued(new X509Certificate(authority.certificate)));
    t.strictSame(identityOf(leaf), { points: ['host-1'], person: null });
    t.strictSame(leaf.keyUsage, ['1.3.6.1.5.5.7.3.2'], 'for clients alone');
    t.equal(leaf.ca, false);
  },
);

t.test('only a public key of P-256 is certified', async (t) => {
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const ed25519 = generateKeyPairSync('ed25519');
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const bad: Record<string, string> = {
    nothing: '',
    'no PEM': 'x',
    'another curve': spki(p384.publicKey),
    Ed25519: spki(ed25519.publicKey),
    RSA: spki(rsa.publicKey),
    'a private key': own.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    'a certificate': authority.certificate,
    'two keys': `${ownPem}${ownPem}`,
    'text before': `x\n${ownPem}`,
    'text after': `${ownPem}x`,
    'a key that was cut': ownPem.replace(/.{20}\n-----END/, '\n-----END'),
    'an endless text': `-----BEGIN PUBLIC KEY-----\n${'A'.repeat(1_000_000)}\n-----END PUBLIC KEY-----\n`,
  };
  for (const [name, pem] of Object.entries(bad))
    await t.rejects(issueCertificateFor(authority, pem, request), { code: 'EDW_ERR_CERTIFICATE_KEY' }, name);
  await t.rejects(issueCertificateFor(authority, ownPem, { ...request, uris: ['urn:edgeward:store:a'] }), {
    code: 'EDW_ERR_CERTIFICATE_REQUEST',
  });
});

t.test('of two certificates for one holder it can be told which was issued later', async (t) => {
  const numbers = [1, 255, 1_795_000_000, 2 ** 48 - 1];
  for (const issueNumber of numbers) {
    const leaf = new X509Certificate(await issueCertificateFor(authority, ownPem, { ...request, issueNumber }));
    t.equal(issueNumberOf(leaf), issueNumber);
    t.ok(identityOf(leaf).points.length === 1);
  }
  const plain = new X509Certificate((await issueCertificate(authority, request)).certificate);
  t.equal(issueNumberOf(plain), null, 'one without a number');
  for (const serialNumber of ['', '45', 'zz', `46${'00'.repeat(15)}`, `45${'00'.repeat(15)}`, '45'.repeat(17)])
    t.equal(issueNumberOf({ serialNumber }), null, serialNumber);
  for (const issueNumber of [0, -1, 0.5, Number.NaN, 2 ** 48])
    await t.rejects(issueCertificateFor(authority, ownPem, { ...request, issueNumber }), {
      code: 'EDW_ERR_CERTIFICATE_REQUEST',
    });
  const random = new Uint8Array(9);
  t.equal(serialNumberOf(null, random).length, 32);
  t.match(serialNumberOf(2 ** 48 - 1, random), /^[0-7]/, 'a positive number, whatever it is');
});
