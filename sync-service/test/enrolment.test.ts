import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { chown, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { identityOf } from '@edgeward/certificates';
import { enrolmentStatement, proofFor } from '@edgeward/host-agent/protocol';
import t from 'tap';
import { createManualClock } from '../../runtime/test/fixtures/manual-clock.ts';
import { takeInvite } from '../src/hosts/invites.ts';
import {
  ask,
  counted,
  DAY_MS,
  type Enrolling,
  enrolled,
  enrolling,
  enrolmentOf,
  hostKey,
  MINUTE_MS,
  pinned,
  type Said,
} from './fixtures/enrolling.ts';

const REFUSED = { status: 403, code: 'EDW_ERR_HOST_ENROLMENT', message: 'enrolling a host: this invite is not good' };

/** Certificates begin and end by the machine's clock, as TLS looks at that one. */
function nowClock(): ReturnType<typeof createManualClock> {
  return createManualClock(Date.now());
}

async function enrol(at: Enrolling, body: unknown, localAddress?: string): Promise<Said> {
  const ca = await pinned(at.enrol, at.authority.fingerprint);
  return await ask(`${at.enrol.url}/v1/enrol`, { ca, body, ...(localAddress === undefined ? {} : { localAddress }) });
}

t.test('an invite gives its host an identity, by which it is known from then on', async (t) => {
  const at = await enrolling(t, { clock: nowClock() });
  const key = hostKey();
  const { status, answer } = await enrol(at, enrolmentOf(await at.invite('host-1'), key));
  t.equal(status, 200);
  t.match(answer, { v: 1, point: 'host-1', service: [at.hosts.url], signingKeys: [{ kid: /A+/ }] });
  const leaf = new X509Certificate(answer.certificate);
  t.ok(leaf.checkPrivateKey(key.privateKey), 'for the key that never left the host');
  t.strictSame(identityOf(leaf), { points: ['host-1'], person: null });
  t.ok(leaf.validToDate.getTime() < Date.now() + 91 * DAY_MS, 'for 90 days');
  const shown = { cert: answer.certificate, key: key.privatePem, ca: answer.authority };
  const who = await ask(`${at.hosts.url}/who`, { ca: shown.ca, shown, method: 'GET' });
  t.match(who, { status: 200, answer: { point: 'host-1' } });
  t.match(await counted(at.registry), { enrolled: 1, refused: 0 });
});

t.test('an invite works once', async (t) => {
  const at = await enrolling(t, { clock: nowClock() });
  const secret = await at.invite('host-1');
  t.match(await enrol(at, enrolmentOf(secret, hostKey())), { status: 200 });
  t.match(await enrol(at, enrolmentOf(secret, hostKey())), REFUSED);
  const contested = await at.invite('host-2');
  const all = await Promise.all(Array.from({ length: 6 }, () => enrol(at, enrolmentOf(contested, hostKey()))));
  t.strictSame(
    all.map(({ status }) => status).sort(),
    [200, 403, 403, 403, 403, 403],
    'of six who come at once one is the first',
  );
  await at.close();
  const again = await enrolling(t, { clock: nowClock(), stateDir: at.stateDir });
  t.match(await enrol(again, enrolmentOf(secret, hostKey())), REFUSED, 'also after a restart');
});

t.test('an invite does not work after its end, whatever clocks do then', async (t) => {
  const clock = nowClock();
  const at = await enrolling(t, { clock });
  const [late, early] = [await at.invite('host-1'), await at.invite('host-2')];
  await clock.advance(15 * MINUTE_MS - 1);
  t.match(await enrol(at, enrolmentOf(early, hostKey())), { status: 200 }, 'until then it does');
  await clock.advance(1);
  t.match(await enrol(at, enrolmentOf(late, hostKey())), REFUSED);
  const { state } = await takeInvite(at.folder, late, {
    nowMs: clock.now() - 10 * MINUTE_MS,
    isConfigured: () => true,
  });
  t.equal(state, 'unknown', 'nor when the clock is set back');
  const future = await at.invite('host-1');
  t.match(
    await takeInvite(at.folder, future, { nowMs: clock.now() - DAY_MS, isConfigured: () => true }),
    { state: 'ended' },
    'made in the future',
  );
});

t.test('a newer invite for a host voids the one before', async (t) => {
  const at = await enrolling(t, { clock: nowClock() });
  const [first, other, second] = [await at.invite('host-1'), await at.invite('host-2'), await at.invite('host-1')];
  t.match(await enrol(at, enrolmentOf(first, hostKey())), REFUSED);
  t.match(await enrol(at, enrolmentOf(second, hostKey())), { status: 200, answer: { point: 'host-1' } });
  t.match(await enrol(at, enrolmentOf(other, hostKey())), { status: 200, answer: { point: 'host-2' } });
});

t.test('nothing in a request says which host it is: the invite does', async (t) => {
  const at = await enrolling(t, { clock: nowClock() });
  const body = {
    ...enrolmentOf(await at.invite('host-1'), hostKey()),
    point: 'host-2',
    uris: ['urn:edgeward:person:ana'],
  };
  const { answer } = await enrol(at, body);
  t.equal(answer.point, 'host-1');
  t.strictSame(identityOf(new X509Certificate(answer.certificate)), { points: ['host-1'], person: null });
});

t.test('an invite for a host that is not configured gives nothing, until it is', async (t) => {
  const clock = nowClock();
  const first = await enrolling(t, { clock });
  const secret = await first.invite('host-2');
  await first.close();
  const at = await enrolling(t, { clock, stateDir: first.stateDir, points: ['host-1'] });
  t.match(await enrol(at, enrolmentOf(secret, hostKey())), REFUSED);
  await at.close();
  const again = await enrolling(t, { clock, stateDir: first.stateDir });
  t.match(await enrol(again, enrolmentOf(secret, hostKey())), { status: 200, answer: { point: 'host-2' } });
});

t.test('a proof that is not that of the key and of the secret gives nothing, and uses up no invite', async (t) => {
  const at = await enrolling(t, { clock: nowClock() });
  const secret = await at.invite('host-1');
  const [own, other] = [hostKey(), hostKey()];
  const good = enrolmentOf(secret, own);
  const wrong: Record<string, unknown> = {
    'somebody else’s key': { ...good, publicKey: other.publicPem },
    'somebody else’s proof': { ...good, proof: enrolmentOf(secret, other).proof },
    'a proof for another secret': { ...good, proof: enrolmentOf('s'.repeat(43), own).proof },
    'a proof for something else': {
      ...good,
      proof: proofFor(`x${enrolmentStatement(secret, own.publicPem)}`, own.privateKey),
    },
    'no signature at all': { ...good, proof: 'A'.repeat(86) },
  };
  for (const [name, body] of Object.entries(wrong)) t.match(await enrol(at, body), REFUSED, name);
  t.match(await enrol(at, good), { status: 200 });
});

t.test('a request that can not be read is refused before the secret is looked at', async (t) => {
  const at = await enrolling(t, { clock: nowClock() });
  const secret = await at.invite('host-1');
  const good = enrolmentOf(secret, hostKey());
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const pem = p384.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const private256 = hostKey();
  const table: [name: string, body: unknown, status: number, code: string][] = [
    ['no JSON', '{', 400, 'EDW_ERR_HTTP_BODY'],
    ['no object', [], 400, 'EDW_ERR_HOST_ENROLMENT_REQUEST'],
    ['a short secret', { ...good, secret: 'a' }, 400, 'EDW_ERR_HOST_ENROLMENT_REQUEST'],
    ['another version', { ...good, v: 2 }, 400, 'EDW_ERR_HOST_ENROLMENT_REQUEST'],
    ['no proof', { ...good, proof: undefined }, 400, 'EDW_ERR_HOST_ENROLMENT_REQUEST'],
    ['a key of another curve', { ...good, publicKey: pem }, 400, 'EDW_ERR_CERTIFICATE_KEY'],
    ['a private key', { ...good, publicKey: private256.privatePem }, 400, 'EDW_ERR_CERTIFICATE_KEY'],
    ['a large body', `"${'x'.repeat(20_000)}"`, 413, 'EDW_ERR_HTTP_BODY_TOO_LARGE'],
  ];
  for (const [name, body, status, code] of table) {
    const said = await enrol(at, body);
    t.match(said, { status, code }, name);
    t.notMatch(JSON.stringify(said), secret, 'nothing of it is repeated');
  }
  t.match(await enrol(at, good), { status: 200 });
});

t.test('whatever is wrong with an invite, who comes with it hears the same', async (t) => {
  const clock = nowClock();
  const at = await enrolling(t, { clock });
  const used = await at.invite('host-1');
  await enrol(at, enrolmentOf(used, hostKey()));
  const ended = await at.invite('host-2');
  await clock.advance(16 * MINUTE_MS);
  const said = [];
  for (const secret of [used, ended, 'u'.repeat(43)]) said.push(await enrol(at, enrolmentOf(secret, hostKey())));
  const [first] = said;
  for (const one of said) t.strictSame(one, first);
  t.equal(first?.status, 403);
  t.match(await counted(at.registry), { enrolled: 1, refused: 3 });
});

t.test('guessing is bounded, for one address; another one enrols meanwhile', async (t) => {
  const clock = nowClock();
  const at = await enrolling(t, { clock });
  const secret = await at.invite('host-1');
  const key = hostKey();
  const codes: Record<string, number> = {};
  let waits: string | undefined;
  for (let guess = 0; guess < 40; guess += 1) {
    const said = await enrol(at, enrolmentOf(`guess-${String(guess).padStart(40, '0')}`, key));
    codes[String(said.code)] = (codes[String(said.code)] ?? 0) + 1;
    waits = said.retryAfter ?? waits;
  }
  t.strictSame(codes, { EDW_ERR_HOST_ENROLMENT: 20, EDW_ERR_HOST_ENROLMENT_RATE: 20 });
  t.equal(waits, '3');
  t.match(await enrol(at, enrolmentOf(secret, key)), { status: 429 }, 'a good one has to wait there too');
  t.match(await enrol(at, enrolmentOf(secret, key), '127.0.0.2'), { status: 200 });
  await clock.advance(60 * MINUTE_MS);
  t.match(await enrol(at, enrolmentOf('x'.repeat(43), key)), REFUSED, 'later it may ask again');
  t.match(await counted(at.registry), { enrolled: 1, refused: 21, limited: 21 });
});

t.test('of a secret no more than its hash is kept', async (t) => {
  const at = await enrolling(t, { clock: nowClock() });
  const [open, used] = [await at.invite('host-1'), await at.invite('host-2')];
  await enrol(at, enrolmentOf(used, hostKey()));
  const names = await readdir(at.stateDir, { recursive: true, withFileTypes: true });
  const files = names.filter((it) => it.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  t.ok(files.length >= 6, 'files were read');
  for (const file of files) {
    const text = file + (await readFile(file, 'utf8'));
    for (const secret of [open, used]) t.notOk(text.includes(secret), file);
  }
});

t.test('a host gives its secret to nobody but the service with the fingerprint in its invite', async (t) => {
  const [own, impostor] = [await enrolling(t, { clock: nowClock() }), await enrolling(t, { clock: nowClock() })];
  t.not(own.authority.fingerprint, impostor.authority.fingerprint);
  await t.rejects(pinned(impostor.enrol, own.authority.fingerprint), /not the service/, 'another authority');
  const ca = await pinned(own.enrol, own.authority.fingerprint);
  t.equal(
    new X509Certificate(ca).ca,
    true,
    'it is the authority that is pinned, so a server certificate may be renewed',
  );
  const body = enrolmentOf(await own.invite('host-1'), hostKey());
  await t.rejects(ask(`${impostor.enrol.url}/v1/enrol`, { ca, body }), 'a server of another authority is sent nothing');
  const { port } = own.enrol;
  await t.rejects(ask(`https://127.0.0.2:${port}/v1/enrol`, { ca, body }), 'nor one under another name');
  t.match(await ask(`${own.enrol.url}/v1/enrol`, { ca, body }), { status: 200 });
});

t.test('nothing but enrolment is served without a certificate, and no enrolment with mutual TLS', async (t) => {
  const at = await enrolling(t, { clock: nowClock() });
  const shown = await enrolled(at, 'host-1');
  for (const path of ['/v1/host/policy', '/v1/host/certificate', '/v1/enrol/', '/'])
    t.match(await ask(`${at.enrol.url}${path}`, { ca: shown.ca }), { status: 404 }, path);
  t.match(await ask(`${at.enrol.url}/v1/enrol`, { ca: shown.ca, method: 'GET' }), { status: 405 });
  await t.rejects(ask(`${at.hosts.url}/who`, { ca: shown.ca, method: 'GET' }), 'no certificate, no answer');
});

t.test('where an invite can not be used up, nobody is enrolled', async (t) => {
  const at = await enrolling(t, { clock: nowClock() });
  const secret = await at.invite('host-1');
  const [file = ''] = await readdir(join(at.folder, 'invites'));
  const inTheWay = join(at.folder, 'invites', file.replace(/json$/, 'used'));
  await mkdir(join(inTheWay, 'x'), { recursive: true });
  t.match(await enrol(at, enrolmentOf(secret, hostKey())), { status: 503, code: 'EDW_ERR_STATE_WRITE' });
  await rm(inTheWay, { recursive: true });
  t.match(await enrol(at, enrolmentOf(secret, hostKey())), { status: 200 });
});

t.test(
  'an invite that root makes is one for the user of the service',
  { skip: process.geteuid?.() !== 0 && 'root alone can make files for others' },
  async (t) => {
    const at = await enrolling(t, { clock: nowClock() });
    const place = join(at.folder, 'invites');
    await chown(place, 12_345, 23_456);
    await at.invite('host-1');
    const [file = ''] = await readdir(place);
    t.match(await stat(join(place, file)), { uid: 12_345, gid: 23_456, mode: 0o100600 });
  },
);
