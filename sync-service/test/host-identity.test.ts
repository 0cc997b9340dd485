import { X509Certificate } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { identityOf, issueCertificate, openAuthority } from '@edgeward/certificates';
import { createLogger, createMetrics } from '@edgeward/runtime';
import t from 'tap';
import { createManualClock } from '../../runtime/test/fixtures/manual-clock.ts';
import { openAuthorityFolder } from '../src/hosts/authority.ts';
import { openHostAuthority } from '../src/hosts/enrolment.ts';
import { openEnrolmentRecord } from '../src/hosts/enrolment-record.ts';
import { sweepInvites, takeInvite } from '../src/hosts/invites.ts';
import {
  ask,
  counted,
  DAY_MS,
  type Enrolling,
  enrolled,
  enrolling,
  enrolmentOf,
  folderFor,
  hostKey,
  pinned,
  renewalOf,
  type Said,
  type Shown,
} from './fixtures/enrolling.ts';

const VOID = { status: 403, code: 'EDW_ERR_HOST_CERTIFICATE' };

function nowClock(): ReturnType<typeof createManualClock> {
  return createManualClock(Date.now());
}

function who(at: Enrolling, shown: Shown): Promise<Said> {
  return ask(`${at.hosts.url}/who`, { ca: shown.ca, shown, method: 'GET' });
}

function renewal(at: Enrolling, shown: Shown, body: unknown): Promise<Said> {
  return ask(`${at.hosts.url}/v1/host/certificate`, { ca: shown.ca, shown, body });
}

/** What a host, or a thief of its key, has after a renewal. */
async function renewed(at: Enrolling, shown: Shown, point: string): Promise<Shown> {
  const key = hostKey();
  const said = await renewal(at, shown, renewalOf(point, key));
  if (said.status !== 200) throw new Error(`not renewed: ${said.code} ${said.message}`);
  return { cert: said.answer.certificate, key: key.privatePem, ca: said.answer.authority };
}

t.test('a renewal gives the same host another certificate, and nobody another name', async (t) => {
  const at = await enrolling(t, { clock: nowClock() });
  const first = await enrolled(at, 'host-1');
  const key = hostKey();
  const { answer } = await renewal(at, first, { ...renewalOf('host-1', key), point: 'host-2' });
  t.equal(answer.point, 'host-1');
  const leaf = new X509Certificate(answer.certificate);
  t.strictSame(identityOf(leaf), { points: ['host-1'], person: null });
  t.ok(leaf.checkPrivateKey(key.privateKey));
  t.equal(answer.authority, first.ca);
  t.strictSame(answer.service, [at.hosts.url]);
  t.match(await counted(at.registry), { enrolled: 1, renewed: 1 });
});

t.test('a renewal asks for a proof of the new key, for this host', async (t) => {
  const at = await enrolling(t, { clock: nowClock() });
  const shown = await enrolled(at, 'host-1');
  const [own, other] = [hostKey(), hostKey()];
  const good = renewalOf('host-1', own);
  const table: [name: string, body: unknown, code: string][] = [
    ['for another host', renewalOf('host-2', own), 'EDW_ERR_HOST_ENROLMENT_REQUEST'],
    ['of another key', { ...good, publicKey: other.publicPem }, 'EDW_ERR_HOST_ENROLMENT_REQUEST'],
    ['as for an enrolment', enrolmentOf('host-1'.padEnd(43, 'x'), own), 'EDW_ERR_HOST_ENROLMENT_REQUEST'],
    ['nothing', {}, 'EDW_ERR_HOST_ENROLMENT_REQUEST'],
    ['a private key', { ...good, publicKey: own.privatePem }, 'EDW_ERR_CERTIFICATE_KEY'],
  ];
  for (const [name, body, code] of table) t.match(await renewal(at, shown, body), { status: 400, code }, name);
  t.match(await who(at, shown), { status: 200 }, 'what it had is as good as before');
});

t.test('a host that renews again and again has to wait', async (t) => {
  const clock = nowClock();
  const at = await enrolling(t, { clock });
  const [shown, other] = [await enrolled(at, 'host-1'), await enrolled(at, 'host-2')];
  const statuses: number[] = [];
  for (let turn = 0; turn < 12; turn += 1)
    statuses.push((await renewal(at, shown, renewalOf('host-1', hostKey()))).status);
  t.strictSame(statuses, [...Array.from({ length: 10 }, () => 200), 429, 429]);
  t.match(await renewal(at, other, renewalOf('host-2', hostKey())), { status: 200 }, 'another one need not');
  await clock.advance(60_000);
  t.match(await renewal(at, shown, renewalOf('host-1', hostKey())), { status: 200 });
});

t.test('in its last months the authority gives certificates that end with it', async (t) => {
  const clock = nowClock();
  const at = await enrolling(t, { clock });
  const ends = new X509Certificate((await enrolled(at, 'host-1')).ca).validToDate.getTime();
  const late = createManualClock(ends - 10 * DAY_MS - 1);
  await at.close();
  const authority = await openHostAuthority({
    stateDir: at.stateDir,
    names: ['127.0.0.1'],
    points: ['host-1'],
    signingKeys: [{ kid: 'A'.repeat(16), x: 'B'.repeat(43) }],
    service: () => ['https://127.0.0.1:7443'],
    registry: createMetrics({ processMetrics: false }),
    logger: createLogger({ level: 'silent' }),
    clock: late,
  });
  t.teardown(() => authority.close());
  const { certificate } = await authority.renew('host-1', renewalOf('host-1', hostKey()));
  t.ok(new X509Certificate(certificate).validToDate.getTime() <= ends);
});

t.test('the old certificate is good until the new one is used, and void from then on', async (t) => {
  const at = await enrolling(t, { clock: nowClock() });
  const first = await enrolled(at, 'host-1');
  await renewed(at, first, 'host-1');
  t.match(await who(at, first), { status: 200 }, 'an answer that got lost cuts nobody off');
  const second = await renewed(at, first, 'host-1');
  t.match(await who(at, first), { status: 200 });
  t.match(await who(at, second), { status: 200, answer: { point: 'host-1' } });
  t.match(await who(at, first), VOID);
  t.match(await renewal(at, first, renewalOf('host-1', hostKey())), VOID, 'nor can it be renewed');
  const other = await enrolled(at, 'host-2');
  t.match(await who(at, other), { status: 200 }, 'another host is not concerned');
  await at.close();
  const again = await enrolling(t, { clock: nowClock(), stateDir: at.stateDir });
  t.match(await who(again, first), VOID, 'also after a restart');
  t.match(await who(again, second), { status: 200 });
});

t.test(
  'who stole the key of a host is that host, no other, and no longer than until it is invited again',
  async (t) => {
    const at = await enrolling(t, { clock: nowClock() });
    const [stolen, other] = [await enrolled(at, 'host-1'), await enrolled(at, 'host-2')];
    t.match(await who(at, stolen), { status: 200, answer: { point: 'host-1' } }, 'it reads and reports as that host');
    const wrong = await renewal(at, stolen, renewalOf('host-2', hostKey()));
    t.match(wrong, { status: 400 }, 'it becomes no other host');
    const thief = await renewed(at, stolen, 'host-1');
    t.match(await who(at, thief), { status: 200 }, 'it can renew');
    t.match(await who(at, stolen), VOID, 'but then the host itself is refused');
    t.match(await counted(at.registry), { superseded: 1 }, 'and that is counted');
    const back = await enrolled(at, 'host-1');
    t.match(await who(at, thief), VOID, 'a new invite takes all of it away');
    t.match(await who(at, back), { status: 200 });
    t.match(await who(at, other), { status: 200 });
  },
);

t.test(
  'who stole an invite is that one host, once; the host itself is refused then, and a new invite mends it',
  async (t) => {
    const at = await enrolling(t, { clock: nowClock() });
    const secret = await at.invite('host-1');
    const ca = await pinned(at.enrol, at.authority.fingerprint);
    const [thiefKey, ownKey] = [hostKey(), hostKey()];
    const taken = await ask(`${at.enrol.url}/v1/enrol`, { ca, body: enrolmentOf(secret, thiefKey) });
    const thief = { cert: taken.answer.certificate, key: thiefKey.privatePem, ca };
    t.match(await who(at, thief), { status: 200, answer: { point: 'host-1' } });
    const late = await ask(`${at.enrol.url}/v1/enrol`, { ca, body: enrolmentOf(secret, ownKey) });
    t.match(late, { status: 403, code: 'EDW_ERR_HOST_ENROLMENT' }, 'so it shows at once');
    const own = await enrolled(at, 'host-1', ownKey);
    t.match(await who(at, own), { status: 200 });
    t.match(await who(at, thief), VOID);
  },
);

t.test('a host that is not configured any more is refused, whatever certificate it has', async (t) => {
  const first = await enrolling(t, { clock: nowClock() });
  const [one, two] = [await enrolled(first, 'host-1'), await enrolled(first, 'host-2')];
  await first.close();
  const at = await enrolling(t, { clock: nowClock(), stateDir: first.stateDir, points: ['host-1'] });
  t.match(await who(at, one), { status: 200 });
  t.match(await who(at, two), { status: 403, code: 'EDW_ERR_HOST_UNKNOWN' });
  t.match(await renewal(at, two, renewalOf('host-2', hostKey())), { status: 403, code: 'EDW_ERR_HOST_UNKNOWN' });
});

t.test('a certificate of the authority that names no single host, or was not issued here, is nobody', async (t) => {
  const at = await enrolling(t, { clock: nowClock() });
  const authority = await openAuthority(join(at.folder, 'authority'));
  const table: [name: string, uris: string[], code: string][] = [
    ['two hosts', ['urn:edgeward:point:host-1', 'urn:edgeward:point:host-2'], 'EDW_ERR_HOST_UNKNOWN'],
    ['a person', ['urn:edgeward:person:ana'], 'EDW_ERR_HOST_UNKNOWN'],
    ['a host without an issue number', ['urn:edgeward:point:host-1'], 'EDW_ERR_HOST_CERTIFICATE'],
  ];
  for (const [name, uris, code] of table) {
    const { certificate, key } = await issueCertificate(authority, { uris, days: 1 });
    t.match(await who(at, { cert: certificate, key, ca: authority.certificate }), { status: 403, code }, name);
  }
});

t.test('a state folder that came back from a backup believes what hosts have meanwhile', async (t) => {
  const clock = nowClock();
  const at = await enrolling(t, { clock });
  const first = await enrolled(at, 'host-1');
  await at.close();
  const backup = join(await folderFor(t), 'backup');
  await cp(at.stateDir, backup, { recursive: true });
  const between = await enrolling(t, { clock, stateDir: at.stateDir });
  const second = await renewed(between, first, 'host-1');
  t.match(await who(between, second), { status: 200 });
  await between.close();
  const later = await enrolling(t, { clock, stateDir: backup });
  t.match(await who(later, second), { status: 200 });
  t.match(await who(later, first), VOID, 'and knows again what is void');
  const third = await renewed(later, second, 'host-1');
  t.match(await who(later, third), { status: 200 }, 'what it issues then is newer');
});

t.test('a host whose record is damaged is refused until it is invited again, and no other host is', async (t) => {
  const clock = nowClock();
  const first = await enrolling(t, { clock });
  const [one, two] = [await enrolled(first, 'host-1'), await enrolled(first, 'host-2')];
  await first.close();
  await writeFile(join(first.folder, 'enrolled', 'host-1.json'), '{"v":1');
  const at = await enrolling(t, { clock, stateDir: first.stateDir });
  t.match(await who(at, one), VOID);
  t.match(await who(at, two), { status: 200 });
  await clock.advance(1);
  t.match(await who(at, await enrolled(at, 'host-1')), { status: 200 });
  t.match(await who(at, one), VOID);
});

t.test('numbers of certificates grow, also under a clock that is set back and for two at once', async (t) => {
  const logger = createLogger({ level: 'silent' });
  const folder = await folderFor(t);
  const record = await openEnrolmentRecord(folder, logger);
  const first = await record.next('host-1', 'enrolled', 2e12);
  const both = await Promise.all([
    record.next('host-1', 'renewed', 1_000_000),
    record.next('host-1', 'renewed', 1_000_000),
  ]);
  t.strictSame([first, ...both], [2e12, 2e12 + 1, 2e12 + 2]);
  t.ok(record.isNewest('host-1', first, 0));
  t.ok(record.isNewest('host-1', 2e12 + 2, 0));
  t.notOk(record.isNewest('host-1', 2e12 + 1, 0));
  await record.flush();
  const again = await openEnrolmentRecord(folder, logger);
  t.notOk(again.isNewest('host-1', first, 0), 'what was seen is kept');
  t.equal(await again.next('host-1', 'enrolled', 0), 2e12 + 3);
});

t.test('the authority is made once, and an unfinished one is in nobody’s way', async (t) => {
  const folder = await folderFor(t);
  const options = { folder, names: ['localhost'], nowMs: Date.now() };
  await mkdir(join(folder, 'authority.unfinished'));
  await writeFile(join(folder, 'authority.unfinished', 'authority-key.pem'), 'half');
  const first = await openAuthorityFolder(options);
  const second = await openAuthorityFolder(options);
  t.strictSame(second.authority, first.authority);
  await rm(join(folder, 'authority', 'authority.pem'));
  await t.rejects(openAuthorityFolder(options), { code: 'EDW_ERR_AUTHORITY' }, 'half of one is not replaced');
});

t.test('the service renews its own certificate in time, for its names, and hosts go on believing it', async (t) => {
  const folder = await folderFor(t);
  const nowMs = Date.now();
  const names = ['sync.example', '10.0.0.7', '2001:db8::7'];
  const { files, authority, renewServer } = await openAuthorityFolder({ folder, names, nowMs });
  const shown = async (): Promise<X509Certificate> => new X509Certificate(await readFile(files.certFile, 'utf8'));
  const first = await shown();
  for (const name of names) t.ok(first.checkHost(name) ?? first.checkIP(name), name);
  t.ok((await readFile(files.certFile, 'utf8')).endsWith(authority.certificate), 'the authority stands behind it');
  await renewServer(nowMs + 59 * DAY_MS);
  t.equal((await shown()).serialNumber, first.serialNumber, 'not before its time');
  await renewServer(nowMs + 61 * DAY_MS);
  const second = await shown();
  t.not(second.serialNumber, first.serialNumber);
  t.ok(second.verify(new X509Certificate(authority.certificate).publicKey));
  await openAuthorityFolder({ folder, names: [...names, 'other.example'], nowMs: nowMs + 61 * DAY_MS });
  t.equal((await shown()).checkHost('other.example'), 'other.example', 'a name more is a new certificate');
  await writeFile(files.keyFile, 'x', { mode: 0o600 });
  await openAuthorityFolder({ folder, names, nowMs });
  t.not(await readFile(files.keyFile, 'utf8'), 'x', 'files that do not fit are made again');
});

t.test('invites that ended are taken away, used ones are remembered for a month', async (t) => {
  const clock = nowClock();
  const at = await enrolling(t, { clock });
  const used = await at.invite('host-1');
  await takeInvite(at.folder, used, { nowMs: clock.now(), isConfigured: () => true });
  await at.invite('host-2');
  const kept = async (atMs: number): Promise<string[]> => {
    await sweepInvites(at.folder, atMs);
    const names = await readdir(join(at.folder, 'invites'));
    return names.map((name) => name.replace(/^[0-9a-f]{64}/, '')).sort();
  };
  t.strictSame(await kept(clock.now()), ['.json', '.used']);
  t.strictSame(await kept(clock.now() + DAY_MS), ['.used']);
  t.match(await takeInvite(at.folder, used, { nowMs: clock.now(), isConfigured: () => true }), { state: 'used' });
  t.strictSame(await kept(clock.now() + 31 * DAY_MS), []);
  await at.close();
  t.equal(clock.pending(), 0, 'nothing goes on after it is closed');
});
