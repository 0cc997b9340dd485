/** How a host gets its identity and the next one, over real TLS; and to whom its secret does not go. */
import { X509Certificate } from 'node:crypto';
import { chmod, chown, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority, issueCertificate, issueCertificateFor } from '@edgeward/certificates';
import { generateSigningKey, type SigningKey } from '@edgeward/policy-format';
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
import { fingerprintOf, type Identity, readIdentity, renewAtMs } from '../../src/identity.ts';
import { createServiceClient } from '../../src/service-client.ts';
import { createServiceLink } from '../../src/service-link.ts';

const key = await generateSigningKey();
const SECRET = 'x'.repeat(43);
const logger = createLogger({ level: 'silent' });

/** Not below the folder of these sources: whom a folder belongs to is judged by those above it too. */
async function folderOf(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-enrol-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await chmod(folder, 0o755);
  return folder;
}

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

async function enrolling(t: Test, dir: string, signing: SigningKey = key) {
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
          const answer = { certificate, authority: authority.certificate, signingKeys: [signing.publicKey], service };
          return { json: { v: 1, point: 'host-db', ...answer } };
        },
      },
    ],
  });
  t.teardown(() => server.close());
  return { url: server.url, authority, asked };
}

t.test('an invite becomes an identity whose key was made here', async (t) => {
  const dir = await folderOf(t);
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

const AGENT = 65_534;

t.test('root enrols as the owner of the folder, wherever links of that owner lead', async (t) => {
  if (process.getuid?.() !== 0) return void t.pass('not run: only root can be another');
  const dir = await folderOf(t);
  const { url, authority, asked } = await enrolling(t, `${dir}/service`);
  const invite = formatInvite({ url, secret: SECRET, authority: fingerprintOf(authority.certificate) });
  for (const name of ['own', 'roots', 'links']) await mkdir(`${dir}/${name}`);
  await writeFile(`${dir}/roots/secret`, 'not yours', { mode: 0o644 });
  // Of the agent: its folder, and one with links to root's. Of root: a link to the agent's folder.
  await symlink(`${dir}/roots`, `${dir}/links/state`);
  await symlink(`${dir}/roots/secret`, `${dir}/links/identity.json`);
  await symlink(`${dir}/own`, `${dir}/linked`);
  for (const name of ['own', 'links']) await chown(`${dir}/${name}`, AGENT, AGENT);

  for (const folder of ['own', 'own/further/state', 'linked', 'links']) {
    await enrolHost(invite, `${dir}/${folder}`);
    const { uid, gid, mode } = await lstat(`${dir}/${folder}/identity.json`);
    t.strictSame([uid, gid, mode & 0o100_777], [AGENT, AGENT, 0o100_600], folder);
  }
  t.equal((await stat(`${dir}/own/further`)).uid, AGENT, 'a folder that is made there too');
  const enrolled = asked.length;
  await t.rejects(enrolHost(invite, `${dir}/links/state`), { code: 'EDW_ERR_STATE_WRITE', mend: /chown/ });
  t.equal(asked.length, enrolled, 'what can not be kept is not asked for');
  t.strictSame(await readdir(`${dir}/roots`), ['secret']);
  const { uid, mode } = await stat(`${dir}/roots/secret`);
  t.strictSame([await readFile(`${dir}/roots/secret`, 'utf8'), uid, mode & 0o777], ['not yours', 0, 0o644]);
  t.strictSame([process.geteuid?.(), process.getegid?.()], [0, 0], 'root is root again');

  await enrolHost(invite, `${dir}/none/yet`);
  t.equal((await stat(`${dir}/none/yet/identity.json`)).uid, 0, 'a folder that root makes is its own');
});

t.test(
  "a host that is enrolled anew reads back what it has, and believes nothing new of the former service's key",
  async (t) => {
    const dir = await folderOf(t);
    const stateDir = `${dir}/state`;
    const enrolAt = async (name: string, signing: SigningKey): Promise<Identity> => {
      const { url, authority } = await enrolling(t, `${dir}/${name}`, signing);
      return enrolHost(
        formatInvite({ url, secret: SECRET, authority: fingerprintOf(authority.certificate) }),
        stateDir,
      );
    };
    const [second, third] = [await generateSigningKey(), await generateSigningKey()];
    t.strictSame((await enrolAt('first', key)).formerKeys, []);
    t.strictSame((await enrolAt('second', second)).formerKeys, [key.publicKey]);
    const identity = await enrolAt('third', third);
    t.strictSame(identity.signingKeys, [third.publicKey], 'who may sign is the one that it was enrolled at');
    t.strictSame(identity.formerKeys, [second.publicKey, key.publicKey]);
    t.strictSame(await readIdentity(stateDir), identity, 'kept');
    t.strictSame((await enrolAt('again', key)).formerKeys, [third.publicKey, second.publicKey], 'no key is both');
  },
);

t.test('the secret goes to nobody but the service in the invite', async (t) => {
  const dir = await folderOf(t);
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
  const dir = await folderOf(t);
  const { url, authority } = await enrolling(t, `${dir}/service`);
  const invite = formatInvite({ url, secret: 'y'.repeat(43), authority: fingerprintOf(authority.certificate) });
  await t.rejects(enrolHost(invite, `${dir}/state`), { code: 'EDW_ERR_HOST_ENROLMENT', mend: 'another' });
});

/** A service that renews, and an identity whose certificate is good for a day. */
async function renewing(t: Test, dir: string) {
  const { files, authority } = await serverOf(`${dir}/service`);
  const state = { point: 'host-db', issued: 0, refuses: false };
  const server: TlsServer = await openTlsServer({
    ...{ host: '127.0.0.1', port: 0, files, logger, closeGraceMs: 1 },
    routes: [
      {
        method: 'POST' as const,
        path: '/v1/host/certificate',
        async handle(request) {
          const { publicKey, proof } = request.json() as RenewalRequest;
          const isGood = isProof(proof, renewalStatement('host-db', publicKey), publicKey);
          if (state.refuses || !isGood) return { status: 403, json: { error: { code: 'EDW_ERR_HOST_UNKNOWN' } } };
          state.issued += 1;
          const uris = [`urn:edgeward:point:${state.point}`];
          const certificate = await issueCertificateFor(authority, publicKey, { uris, days: 30 });
          const answer = { certificate, authority: authority.certificate, service: [server.url] };
          return { json: { v: 1, point: state.point, signingKeys: [key.publicKey], ...answer } };
        },
      },
    ],
  });
  t.teardown(() => server.close());
  const issued = await issueCertificate(authority, { uris: ['urn:edgeward:point:host-db'], days: 1 });
  const held = {
    ...{ v: 1 as const, point: 'host-db', ...issued, authority: authority.certificate },
    ...{ signingKeys: [key.publicKey], formerKeys: [], service: [server.url] },
  };
  await writeFile(`${dir}/identity.json`, JSON.stringify(held), { mode: 0o600 });
  return { state, held };
}

t.test('a certificate is renewed for a key of its own, whole or not at all', async (t) => {
  const dir = await folderOf(t);
  const { state, held } = await renewing(t, dir);
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

t.test('the agent renews when two thirds of the time are over, and no clock makes it do so all the time', async (t) => {
  const dir = await folderOf(t);
  const { state, held } = await renewing(t, dir);
  const HOUR_MS = 3_600_000;
  let nowMs = Date.now();
  const due: { delayMs: number; run: () => void }[] = [];
  const clock = {
    now: () => nowMs,
    after: (delayMs: number, run: () => void) => {
      due.push({ delayMs, run });
      return () => {};
    },
  };
  const ending = new AbortController().signal;
  const link = createServiceLink({ identity: held, service: [], stateDir: dir, ending, clock, logger });
  t.teardown(link.close);
  t.teardown(async () => due.splice(0).forEach(({ run }) => void run()));
  await link.tend();
  nowMs += 17 * HOUR_MS;
  await link.tend();
  t.equal(state.issued, 0, 'not while the service was never met');
  link.met({ state: 'reached' });
  state.refuses = true;
  await link.tend();
  t.match(link.warnings(), [/could not be renewed/]);
  t.strictSame(await readIdentity(dir), held, 'what is in use stays');
  state.refuses = false;
  await link.tend();
  t.strictSame([state.issued, link.warnings()], [1, []]);
  t.strictSame(await readIdentity(dir), link.identity());

  nowMs += 50 * 365 * 24 * HOUR_MS;
  for (let turn = 0; turn < 3; turn += 1) await link.tend();
  t.equal(state.issued, 1, 'a clock of another century asks once an hour');
  for (const { delayMs, run } of due.splice(0)) if (delayMs <= HOUR_MS) run();
  await link.tend();
  t.equal(state.issued, 2);
});

t.test('an identity that can not be used says so, and is not taken for none', async (t) => {
  const dir = await folderOf(t);
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
