/** How a host gets its identity and the next one, over real TLS; and to whom its secret does not go. */
import { X509Certificate } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createAuthority, issueCertificate, issueCertificateFor } from '@edgeward/certificates';
import { generateSigningKey } from '@edgeward/policy-format';
import {
  createLogger,
  openAnonymousTlsServer,
  openTlsServer,
  type TlsFiles,
  type TlsServer,
  writeDurably,
} from '@edgeward/runtime';
import t, { type Test } from 'tap';
import {
  type EnrolmentRequest,
  enrolmentRequestSchema,
  enrolmentStatement,
  formatInvite,
  isProof,
  type RenewalRequest,
  renewalStatement,
} from '../../protocol/index.ts';
import { enrolHost, renewIdentity } from '../../src/enrol.ts';
import { fingerprintOf, readIdentity, renewAtMs } from '../../src/identity.ts';
import { createServiceClient } from '../../src/service-client.ts';

const key = await generateSigningKey();
const SECRET = 'x'.repeat(43);
const logger = createLogger({ level: 'silent' });

/** An authority, and a server with a certificate of it, its authority behind it. */
async function serverOf(
  dir: string,
  days = 30,
): Promise<{ files: TlsFiles; authority: Awaited<ReturnType<typeof createAuthority>> }> {
  const authority = await createAuthority(`${dir}/authority`);
  const own = await issueCertificate(authority, { uris: [], hosts: ['127.0.0.1'], days, server: true });
  const files = {
    certFile: `${dir}/tls.pem`,
    keyFile: `${dir}/tls.key`,
    clientCaFile: `${dir}/authority/authority.pem`,
  };
  await writeDurably(files.certFile, own.certificate + authority.certificate);
  await writeDurably(files.keyFile, own.key);
  return { files, authority };
}

async function enrolling(t: Test, dir: string) {
  const { files, authority } = await serverOf(dir);
  const asked: EnrolmentRequest[] = [];
  const server = await openAnonymousTlsServer({
    ...{ host: '127.0.0.1', port: 0, files, logger, closeGraceMs: 1 },
    routes: [
      {
        method: 'POST' as const,
        path: '/v1/enrol',
        async handle(request) {
          const body = enrolmentRequestSchema.parse(request.json());
          asked.push(body);
          if (body.secret !== SECRET)
            return {
              status: 403,
              json: { error: { code: 'EDW_ERR_HOST_ENROLMENT', message: 'refused', mend: 'another' } },
            };
          const uris = ['urn:edgeward:point:host-db'];
          const certificate = await issueCertificateFor(authority, body.publicKey, { uris, days: 30 });
          const service = ['https://127.0.0.1:7443'];
          const answer = { certificate, authority: authority.certificate, signingKeys: [key.publicKey], service };
          return { json: { v: 1, point: 'host-db', ...answer } };
        },
      },
    ],
  });
  t.teardown(() => server.close());
  return { url: server.url, authority, asked };
}

t.test('an invite becomes an identity whose key was made here', async (t) => {
  const dir = t.testdir({});
  const { url, authority, asked } = await enrolling(t, `${dir}/service`);
  const invite = formatInvite({ url, secret: SECRET, authority: fingerprintOf(authority.certificate) });
  const identity = await enrolHost(`  ${invite}\n`, `${dir}/agent/state`);
  t.match(identity, { point: 'host-db', service: ['https://127.0.0.1:7443'], signingKeys: [key.publicKey] });
  t.strictSame(await readIdentity(`${dir}/agent/state`), identity, 'it is kept');
  t.equal((await stat(`${dir}/agent/state/identity.json`)).mode & 0o777, 0o600, 'for the agent alone');
  const [request] = asked;
  t.ok(
    request !== undefined && isProof(request.proof, enrolmentStatement(SECRET, request.publicKey), request.publicKey),
  );
  t.notMatch(JSON.stringify(asked), /PRIVATE KEY/);
  t.match(new X509Certificate(identity.certificate).subjectAltName, 'URI:urn:edgeward:point:host-db');
  t.ok(renewAtMs(identity.certificate) < new X509Certificate(identity.certificate).validToDate.getTime());
});

t.test('the secret goes to nobody but the service in the invite', async (t) => {
  const dir = t.testdir({});
  const { url, asked } = await enrolling(t, `${dir}/service`);
  const { authority: other } = await serverOf(`${dir}/other`);
  const wrong = [
    {
      name: 'of another authority',
      invite: formatInvite({ url, secret: SECRET, authority: fingerprintOf(other.certificate) }),
      code: 'EDW_ERR_HOST_INVITE',
    },
    {
      name: 'nobody there',
      invite: formatInvite({ url: 'https://127.0.0.1:1', secret: SECRET, authority: 'a'.repeat(64) }),
      code: 'EDW_ERR_SERVICE_UNREACHABLE',
    },
    {
      name: 'half a line',
      invite: formatInvite({ url, secret: SECRET, authority: 'a'.repeat(64) }).slice(0, 40),
      code: 'EDW_ERR_HOST_INVITE',
    },
    { name: 'no invite', invite: 'hello world', code: 'EDW_ERR_HOST_INVITE' },
    { name: 'nothing', invite: '', code: 'EDW_ERR_HOST_INVITE' },
  ];
  for (const { name, invite, code } of wrong) await t.rejects(enrolHost(invite, `${dir}/state`), { code }, name);
  t.strictSame(asked, []);
  t.strictSame(await readIdentity(`${dir}/state`), null, 'and the host is nobody still');
});

t.test('what the service refuses, it says itself', async (t) => {
  const dir = t.testdir({});
  const { url, authority } = await enrolling(t, `${dir}/service`);
  const invite = formatInvite({ url, secret: 'y'.repeat(43), authority: fingerprintOf(authority.certificate) });
  await t.rejects(enrolHost(invite, `${dir}/state`), { code: 'EDW_ERR_HOST_ENROLMENT', mend: 'another' });
});

t.test('a certificate is renewed for a key of its own, whole or not at all', async (t) => {
  const dir = t.testdir({});
  const { files, authority } = await serverOf(`${dir}/service`);
  const state = { point: 'host-db' };
  const server: TlsServer = await openTlsServer({
    ...{ host: '127.0.0.1', port: 0, files, logger, closeGraceMs: 1 },
    routes: [
      {
        method: 'POST' as const,
        path: '/v1/host/certificate',
        async handle(request) {
          const { publicKey, proof } = request.json() as RenewalRequest;
          if (!isProof(proof, renewalStatement('host-db', publicKey), publicKey)) return { status: 403, json: {} };
          const uris = [`urn:edgeward:point:${state.point}`];
          const certificate = await issueCertificateFor(authority, publicKey, { uris, days: 30 });
          const answer = {
            certificate,
            authority: authority.certificate,
            signingKeys: [key.publicKey],
            service: [server.url],
          };
          return { json: { v: 1, point: state.point, ...answer } };
        },
      },
    ],
  });
  t.teardown(() => server.close());
  const issued = await issueCertificate(authority, { uris: ['urn:edgeward:point:host-db'], days: 1 });
  const held = {
    ...{ v: 1 as const, point: 'host-db', ...issued, authority: authority.certificate },
    ...{ signingKeys: [key.publicKey], service: [server.url] },
  };
  await writeFile(`${dir}/identity.json`, JSON.stringify(held), { mode: 0o600 });
  const client = createServiceClient({ identity: held, service: [], ending: new AbortController().signal });
  t.teardown(client.close);
  const renewed = await renewIdentity(client, held, dir);
  t.not(renewed.key, held.key);
  t.strictSame(await readIdentity(dir), renewed);
  t.ok(
    (await readdir(dir)).every((name) => !name.includes('unfinished')),
    'nothing is left over',
  );

  state.point = 'host-of-somebody-else';
  await t.rejects(
    renewIdentity(client, held, dir),
    { code: 'EDW_ERR_HOST_IDENTITY' },
    'one for another host is not taken',
  );
  t.strictSame(await readIdentity(dir), renewed, 'what is in use stays');
});

t.test('an identity that can not be used says so, and is not taken for none', async (t) => {
  const dir = t.testdir({});
  const { url, authority } = await enrolling(t, `${dir}/service`);
  const invite = formatInvite({ url, secret: SECRET, authority: fingerprintOf(authority.certificate) });
  await enrolHost(invite, dir);
  const file = `${dir}/identity.json`;
  const whole = await readFile(file, 'utf8');
  const { key: anothers } = await issueCertificate(authority, { uris: ['urn:edgeward:point:x'], days: 1 });
  const cases = {
    'cut off': whole.slice(0, 200),
    'a key of another': JSON.stringify({ ...(JSON.parse(whole) as object), key: anothers }),
    'no service': JSON.stringify({ ...(JSON.parse(whole) as object), service: [] }),
    'another version': whole.replace('"v":1', '"v":2'),
    empty: '\n',
  };
  for (const [name, text] of Object.entries(cases)) {
    await writeFile(file, text);
    await t.rejects(readIdentity(dir), { code: 'EDW_ERR_HOST_IDENTITY' }, name);
  }
});
