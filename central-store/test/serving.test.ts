import { readdirSync, readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { createHttpsTransport } from '@edgeward/policy-feed';
import { addSignature, type Head, type PointReport, payloadOf, type SignedDocument } from '@edgeward/policy-format';
import { createLogger, type TlsRequest } from '@edgeward/runtime';
import { testCertificates } from '@edgeward/test/kit';
import { generate } from 'selfsigned';
import t, { type Test } from 'tap';
import type { RecordEntry } from '../src/index.ts';
import { listInventory } from '../src/serving/inventory-listing.ts';
import { crms, openServedStore, type PersonName, type ServedStore, shopBundle, until } from './serving-kit.ts';

const points = ['edge-1', 'edge-2'] as const;

async function published(t: Test, options = {}): Promise<ServedStore> {
  const served = await openServedStore(t, options);
  await served.inventory(...crms(5));
  await served.publish(shopBundle(points));
  return served;
}

const entries = (served: ServedStore): Promise<RecordEntry[]> =>
  served.store.folder.record.read({ after: 0, limit: 10_000 });

const headOf = (text: string): Head => payloadOf(JSON.parse(text) as SignedDocument, 'a head', 16_384) as Head;

t.test('the certificate decides what there is, and nothing in a request does', async (t) => {
  const served = await published(t);
  const claims = {
    'x-client-cert': 'urn:edgeward:point:edge-1',
    'x-forwarded-client-cert': 'URI=urn:edgeward:point:edge-1',
    'x-edgeward-point': 'edge-1',
    authorization: 'Bearer edge-1',
    forwarded: 'for=127.0.0.1;by=edge-1',
  };
  const own = await served.as('edge-1', '/v1/points/edge-1/head');
  t.equal(own.status, 200);
  t.equal(headOf(own.text).aud, 'edge-1');
  const [blob] = served.store.publishing.point('edge-1')?.blobs ?? [];
  const [page] = served.store.publishing.point('edge-2')?.blobs.filter((it) => it === blob) ?? [];
  t.equal(page, undefined);
  const table: [name: string, who: PersonName | `edge-${string}`, path: string, status: number][] = [
    ['own head', 'edge-2', '/v1/points/edge-2/head', 200],
    ["another's head", 'edge-2', '/v1/points/edge-1/head', 404],
    ['a head of nobody', 'edge-2', '/v1/points/edge-99/head', 404],
    ["another's delta", 'edge-2', `/v1/points/edge-1/delta?from=1.1.${'0'.repeat(64)}`, 404],
    ['own blob', 'edge-1', `/v1/blobs/sha256/${blob}`, 200],
    ["another's blob", 'edge-2', `/v1/blobs/sha256/${blob}`, 404],
    ['a blob of nobody', 'edge-2', `/v1/blobs/sha256/${'0'.repeat(64)}`, 404],
    ['a root', 'edge-2', '/v1/roots/1', 200],
    ['the newest root', 'edge-2', '/v1/roots/newest', 200],
    ['a root to come', 'edge-2', '/v1/roots/2', 404],
    ['what people see', 'edge-1', '/v1/status', 404],
    ['what auditors see', 'edge-1', '/v1/record', 404],
    ['names of workloads', 'edge-1', '/v1/inventory', 200],
    ['a head, for a person', 'flo', '/v1/points/edge-1/head', 404],
    ['a blob, for a person', 'flo', `/v1/blobs/sha256/${blob}`, 404],
    ['the status, for anybody with a role', 'eve', '/v1/status', 200],
    ['the record, for the auditor', 'flo', '/v1/record', 200],
    ['the record, for the author', 'ada', '/v1/record', 403],
    ['the checkpoint, for a point', 'edge-1', '/v1/checkpoint', 200],
  ];
  for (const [name, who, path, status] of table) {
    t.equal((await served.as(who, path)).status, status, name);
    t.equal((await served.as(who, path, { headers: claims })).status, status, `${name}, whatever the headers claim`);
  }
  const one = await served.as('edge-2', '/v1/points/edge-1/head');
  const two = await served.as('edge-2', '/v1/points/edge-99/head');
  t.equal(one.text.replace('edge-1', 'X'), two.text.replace('edge-99', 'X'), 'what is not its own does not exist');
  const stranger = await served.certificates.issue({ uris: ['urn:edgeward:person:mallory'], days: 1 });
  t.match(await served.ask(stranger, '/v1/status'), { status: 403, text: /EDW_ERR_STORE_ROLE/ });
  const { certificate: cert, key } = served.certificates.authority;
  const other = await generate([{ name: 'commonName', value: 'edge-1' }], {
    ...{ keyType: 'ec', curve: 'P-256', algorithm: 'sha256', ca: { cert, key } },
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 6, value: 'urn:other:point:edge-1' }] }],
  });
  const nobody = { ...(await served.who('edge-1')), cert: other.cert, key: other.private };
  t.match(await served.ask(nobody, '/v1/roots/1'), { status: 403, text: /EDW_ERR_STORE_IDENTITY/ });
  const both = await served.certificates.point('edge-1', 'edge-2');
  for (const point of points)
    t.equal((await served.ask(both, `/v1/points/${point}/head`)).status, 200, 'a site of two');
});

t.test('nobody gets in without a certificate of this authority', async (t) => {
  const served = await published(t);
  const theirs = await testCertificates(join(served.dir, '..', 'theirs'));
  await t.rejects(served.ask(null, '/v1/roots/1'));
  await t.rejects(served.ask(await theirs.point('edge-1'), '/v1/points/edge-1/head'));
  const plain = httpRequest({ host: '127.0.0.1', port: served.store.port, path: '/v1/roots/1' });
  const answered = await new Promise((resolve) => plain.on('response', resolve).on('error', resolve).end());
  t.type(answered, Error, 'clear text');
  const text = await (await fetch(`${served.store.metricsUrl}/metrics`)).text();
  t.match(text, /edgeward_store_handshakes_failed_total [1-9]/);
});

t.test('no path, no size and no form of a request leads anywhere else', async (t) => {
  const served = await published(t);
  const hostile: [name: string, path: string, status: number][] = [
    ['up', '/v1/points/edge-2/../edge-1/head', 404],
    ['up, encoded', '/v1/points/edge-2%2f..%2fedge-1/head', 404],
    ['up, in a name', '/v1/points/..%2fedge-1/head', 404],
    ['a file', '/v1/blobs/sha256/..%2f..%2f..%2fkeys', 404],
    ['the keys', '/keys/store.jwk', 404],
    ['a mirror path', '/mirror/heads/edge-1.json', 404],
    ['upper case', `/v1/blobs/sha256/${'A'.repeat(64)}`, 404],
    ['a null', '/v1/points/edge-1%00/head', 404],
    ['twice a slash', '//v1//points/edge-1/head', 404],
    ['no UTF-8', '/v1/points/%ff/head', 404],
    ['a long one', `/v1/points/${'a'.repeat(9_000)}/head`, 404],
    ['a root of words', '/v1/roots/__proto__', 400],
    ['a root of zeros', '/v1/roots/01', 400],
    ['a cursor of words', '/v1/points/edge-2/delta?from=x', 400],
    ['two cursors', `/v1/points/edge-2/delta?from=1.1.${'0'.repeat(64)}&from=1.1.${'0'.repeat(64)}`, 400],
    ['no cursor', '/v1/points/edge-2/delta', 400],
  ];
  for (const [name, path, status] of hostile) {
    const answer = await served.as('edge-2', path);
    t.equal(answer.status, status, name);
    t.match(answer.json(), { error: { code: /^EDW_ERR_/, mend: /./ } }, `${name}: coded`);
  }
  const status = '/v1/points/edge-2/status';
  const bodies: [name: string, body: unknown, status: number][] = [
    ['no report', {}, 400],
    ['of another point', report('edge-1'), 400],
    ['not JSON', Buffer.from('{'), 400],
    ['deep', Buffer.from(`${'['.repeat(5_000)}${']'.repeat(5_000)}`), 400],
    ['prototype', Buffer.from('{"__proto__":{"x":1}}'), 400],
    ['large', Buffer.alloc(20_000, 0x20), 413],
    ['a report', report('edge-2'), 204],
  ];
  for (const [name, body, code] of bodies) t.equal((await served.as('edge-2', status, { body })).status, code, name);
  t.equal((await served.as('edge-2', status, { method: 'DELETE' })).status, 405);
  t.equal(served.store.reports.of('edge-1').length, 0, 'nobody speaks for another');
  const refused = (await entries(served)).filter(({ outcome }) => outcome === 'refused');
  t.ok(refused.length > 15);
  t.ok(refused.every(({ actor, code }) => actor === 'point:edge-2' && /^EDW_ERR_/.test(code ?? '')));
});

t.test('a head is asked for by its ETag, and a change by what is held', async (t) => {
  const served = await published(t);
  const path = '/v1/points/edge-1/head';
  const first = await served.as('edge-1', path);
  const etag = String(first.headers.etag);
  t.equal(first.headers['cache-control'], 'no-store');
  t.match(await served.as('edge-1', path, { headers: { 'if-none-match': etag } }), { status: 304, text: '' });
  t.match(await served.as('edge-1', path, { headers: { 'if-none-match': '"other"', prefer: 'wait=60' } }), {
    status: 200,
  });
  const { epoch, revision, stateRoot } = headOf(first.text);
  const from = (e: number, r: number, s: string): string => `/v1/points/edge-1/delta?from=${e}.${r}.${s}`;
  const now = from(epoch, revision, stateRoot);
  t.equal((await served.as('edge-1', now)).status, 204);
  t.equal((await served.as('edge-1', from(epoch + 1, revision, stateRoot))).status, 409);
  const old = await served.as('edge-1', from(epoch, revision, '0'.repeat(64)));
  t.match(old, { status: 303, headers: { location: path } });
  const waiting = served.as('edge-1', now, { headers: { prefer: 'wait=30' } });
  const held = served.as('edge-1', path, { headers: { 'if-none-match': etag, prefer: 'respond-async, wait=30' } });
  await until('both wait', () => served.store.publishing.status().waiting === 2);
  await served.inventory(...crms(6));
  const delta = await waiting;
  t.match(delta, { status: 200, headers: { 'cache-control': 'no-store', 'content-type': 'application/json' } });
  t.match(delta.json(), {
    typ: 'edgeward-delta/1',
    from: { revision },
    operations: [{ add: ['10.30.0.6'], remove: [] }],
  });
  t.match(await held, { status: 200 });
  t.not((await held).headers.etag, etag);
  t.equal((await served.as('edge-1', now)).status, 200);
  const [blob] = served.store.publishing.point('edge-1')?.blobs ?? [];
  const bytes = await served.as('edge-1', `/v1/blobs/sha256/${blob}`);
  t.match(bytes.headers, { etag: `"${blob}"`, 'cache-control': 'private, max-age=31536000, immutable' });
  const again = { headers: { 'if-none-match': `"${blob}"` } };
  t.equal((await served.as('edge-1', `/v1/blobs/sha256/${blob}`, again)).status, 304);
  t.equal(
    (await served.as('edge-2', `/v1/blobs/sha256/${blob}`, again)).status,
    404,
    'no word about what is not its own',
  );
});

t.test('people decide over the network, a point follows, and the record has all of it', async (t) => {
  const served = await openServedStore(t);
  await served.inventory(...crms(5));
  const post = (who: PersonName, path: string, body: unknown) => served.as(who, path, { body });
  const draft = await served.draft(shopBundle(points));
  t.match(await post('eve', '/v1/proposals', draft), { status: 403 }, 'no author');
  t.match(await post('ada', '/v1/proposals', { ...draft, dryRun: true }), { status: 200 });
  t.equal(served.store.folder.proposals.list().length, 0);
  const proposed = await post('ada', '/v1/proposals', draft);
  t.equal(proposed.status, 201, proposed.text);
  const { id } = proposed.json() as { id: string };
  const documents = await served.as('flo', `/v1/proposals/${id}/documents`);
  t.equal(documents.text, draft.documents);
  const unsigned = { ...(draft.approval as SignedDocument), signatures: [] };
  const signature = async (name: PersonName): Promise<unknown> => ({
    document: await addSignature(unsigned, 'edgeward-approval/1', served.keys[name]),
    reason: 'looked at it',
  });
  t.match(await post('eve', `/v1/proposals/${id}/publish`, {}), { status: 400 }, 'nobody has approved it');
  t.match(await post('ada', `/v1/proposals/${id}/signatures`, await signature('ada')), { status: 403 }, 'no approver');
  t.match(
    await post('cleo', `/v1/proposals/${id}/signatures`, await signature('ada')),
    { status: 400 },
    "another's key",
  );
  t.match(await post('cleo', `/v1/proposals/${id}/signatures`, { document: 1, reason: '' }), { status: 400 });
  t.match(await post('cleo', `/v1/proposals/${id}/signatures`, await signature('cleo')), { status: 200 });
  t.match(await post('cleo', '/v1/proposals/none/reject', { reason: 'no' }), { status: 404 });
  const done = await post('eve', `/v1/proposals/${id}/publish`, {});
  t.strictSame([done.status, done.json()], [200, { kind: 'policy', version: 1 }]);
  t.match((await served.as('flo', '/v1/versions/newest')).json(), { version: 1 });
  t.equal((await served.as('flo', '/v1/versions/1/documents')).text, draft.documents);
  t.equal((await served.as('flo', '/v1/versions/2')).status, 404);

  const { cert, key, ca } = await served.who('edge-1');
  const transport = createHttpsTransport({
    url: `https://127.0.0.1:${served.store.port}`,
    tls: { cert, key, ca },
    logger: createLogger({ level: 'silent' }),
  });
  t.teardown(() => transport.close());
  await until('it is in force', () => served.store.publishing.point('edge-1') !== null);
  t.ok(await transport.next('edge-1', null, { waitMs: 0, signal: new AbortController().signal }));
  const log = await served.as('flo', '/v1/record?after=1');
  const outcomes = log.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as RecordEntry)
    // What the store does by itself is not asked for by anybody here.
    .filter(({ by }) => by === 'certificate')
    .map(({ actor, action, outcome, code }) => [actor, action, outcome, code ?? ''].join(' ').trimEnd());
  t.matchStrict(outcomes, [
    /^eve proposal\.propose refused EDW_ERR_STORE_ROLE/,
    /^ada \S+ dry-run/,
    /^ada \S+ allowed/,
    /^eve \S+ refused EDW_ERR_/,
    /^ada proposal\.approve refused EDW_ERR_STORE_ROLE/,
    /^cleo \S+ refused EDW_ERR_PROPOSAL_SIGNATURE/,
    /^cleo proposal\.approve refused EDW_ERR_STORE_REQUEST/,
    /^cleo \S+ allowed/,
    /^cleo \S+ refused EDW_ERR_PROPOSAL_UNKNOWN/,
    /^eve \S+ allowed/,
  ]);
  t.equal(outcomes.length, 10, 'each attempt once');
  const { size } = served.store.folder.record.checkpoint();
  t.match((await served.as('edge-1', '/v1/checkpoint')).json(), { size, hash: /^[0-9a-f]{64}$/ });
});

t.test('what is held waits for a person with the role, and who accepted it is on the record', async (t) => {
  const served = await published(t);
  await served.inventory(...crms(1));
  const status = (await served.as('flo', '/v1/status')).json() as { inventory: { waiting: { revision: number } } };
  const { revision } = status.inventory.waiting;
  const accept = (who: PersonName, number: number) => served.as(who, '/v1/accept', { body: { revision: number } });
  t.equal((await accept('flo', revision)).status, 403);
  t.equal((await accept('eve', revision + 1)).status, 409);
  t.equal(served.store.publishing.point('edge-1')?.state?.book.count, 5);
  t.equal((await accept('eve', revision)).status, 200);
  t.equal(served.store.publishing.point('edge-1')?.state?.book.count, 1);
  t.equal((await accept('eve', revision)).status, 404);
  const told = (await entries(served)).filter(({ action }) => action === 'inventory.accept');
  t.strictSame(
    told.map(({ actor, outcome }) => `${actor} ${outcome}`),
    ['flo refused', 'eve refused', 'eve allowed', 'eve refused'],
  );
});

t.test('names of workloads are listed for whoever reads denials, and once for all who ask', async (t) => {
  const served = await published(t);
  const plain = await served.as('edge-1', '/v1/inventory');
  const [first] = plain.text.split('\n');
  t.strictSame(JSON.parse(first ?? ''), {
    ...{ kind: 'Workload', name: 'crm-1', labels: { app: 'crm' } },
    addresses: ['10.30.0.1'],
  });
  const packed = await served.as('flo', '/v1/inventory', { headers: { 'accept-encoding': 'gzip' } });
  t.match(packed.headers, { 'content-encoding': 'gzip', etag: plain.headers.etag ?? '' });
  t.equal(gunzipSync(packed.bytes).toString(), plain.text);
  const held = { headers: { 'if-none-match': String(plain.headers.etag) } };
  t.equal((await served.as('edge-2', '/v1/inventory', held)).status, 304);
  await served.inventory(...crms(6));
  const renewed = await served.as('edge-2', '/v1/inventory', held);
  t.match(renewed, { status: 200, text: /"crm-6"/ }, 'a small one is never behind');
});

t.test('a large inventory is not made anew for everybody who asks after a change', async (t) => {
  let changes = 1;
  const workload = { labels: { note: 'n'.repeat(2_000) }, addresses: [] };
  const workloads = { names: () => Array.from({ length: 3_000 }, (_, i) => `crm-${i}`), workload: () => workload };
  const handle = listInventory(workloads, () => changes);
  const ask = () => handle({ headers: { 'accept-encoding': 'gzip' } } as Partial<TlsRequest> as TlsRequest);
  const first = await ask();
  changes = 2;
  t.strictSame(await ask(), first);
});

t.test('a report is kept over a restart; a refusal at a point is on the record once', async (t) => {
  const served = await published(t);
  const nack = { revision: 2, stage: 'fence', code: 'EDW_ERR_FENCE', message: 'outside\u001b[31m' } as const;
  const tell = (more: Partial<PointReport>) =>
    served.as('edge-1', '/v1/points/edge-1/status', { body: { ...report('edge-1'), ...more } });
  for (let i = 0; i < 3; i += 1) t.equal((await tell({ nack })).status, 204);
  t.equal((await tell({ nack: { ...nack, revision: 3 } })).status, 204);
  t.equal((await tell({ contradicted: true, witnessed: { size: 9, hash: 'a'.repeat(64) } })).status, 204);
  const told = (await entries(served)).filter(({ actor }) => actor === 'point:edge-1');
  t.strictSame(
    told.map(({ action, code, revision }) => [action, code, revision]),
    [
      ['point.refuse', 'EDW_ERR_FENCE', 2],
      ['point.refuse', 'EDW_ERR_FENCE', 3],
      ['point.contradict', undefined, undefined],
    ],
  );
  t.notOk(
    told.some(({ reason }) => reason?.includes('\u001b')),
    'nothing that a terminal would obey',
  );
  await served.stop();
  await served.start();
  t.match((await served.as('flo', '/v1/status')).json(), {
    points: [{ point: 'edge-1', version: 1, reports: [{ report: { service: 'site-1', contradicted: true } }] }, {}],
  });
});

t.test('a report that is told twice at once, or after a newer one, is told once and takes nothing back', async (t) => {
  const served = await published(t);
  const atMs = Date.now();
  const nack = { revision: 2, stage: 'fence', code: 'EDW_ERR_FENCE', message: 'outside' } as const;
  const tell = (beforeMs: number, more: Partial<PointReport>) =>
    served.as('edge-1', '/v1/points/edge-1/status', {
      body: { ...report('edge-1'), ...more, at: new Date(atMs - beforeMs).toISOString() },
    });
  const held = () => served.store.reports.of('edge-1').map(({ report: { service, applied } }) => [service, applied]);
  await Promise.all(Array.from({ length: 5 }, () => tell(20_000, { applied: 4, nack })));
  await tell(0, { applied: 5 });
  for (const answer of await Promise.all([tell(20_000, { applied: 4, nack }), tell(1, { applied: 4, nack })]))
    t.equal(answer.status, 204, 'whoever tells it need not tell it again');
  t.strictSame(held(), [['site-1', 5]]);
  const refusals = (await entries(served)).filter(({ action }) => action === 'point.refuse');
  t.equal(refusals.length, 1);
  await tell(15_000, { applied: 4, service: 'site-2' });
  t.strictSame(
    held().sort(),
    [
      ['site-1', 5],
      ['site-2', 4],
    ],
    'each service by its own clock',
  );
  await tell(3_600_000, { applied: 6 });
  t.strictSame(
    held().sort(),
    [
      ['site-1', 6],
      ['site-2', 4],
    ],
    'of a clock that was set back it is the newest',
  );
});

t.test('hints name own points only, and each once however often it changed', async (t) => {
  const served = await published(t);
  const ending = new AbortController();
  let text = '';
  const { cert, key, ca } = await served.who('edge-2');
  const stream = served.ask({ ...(await served.who('edge-2')), cert, key, ca }, '/v1/events', {
    signal: ending.signal,
  });
  const follower = createHttpsTransport({
    url: `https://127.0.0.1:${served.store.port}`,
    tls: { cert, key, ca },
    logger: createLogger({ level: 'silent' }),
  });
  t.teardown(() => follower.close());
  const hinted: string[] = [];
  const stop = follower.hints?.(['edge-1', 'edge-2'], (point) => hinted.push(point));
  t.teardown(() => stop?.());
  await until('a hint came', async () => {
    await served.inventory(...crms(6 + hinted.length));
    text = hinted.join(' ');
    await served.inventory(...crms(5));
    return hinted.length > 0;
  });
  t.notMatch(text, 'edge-1');
  ending.abort();
  await stream.catch(() => {});
});

t.test('who asks too often is told when to come back, by name and for each name apart', async (t) => {
  const limits = { requests: { perSecond: 1, burst: 5 }, blobs: { perSecond: 1, burst: 2 } };
  const served = await published(t, { config: { rateLimits: limits } });
  const path = '/v1/roots/1';
  const statuses: number[] = [];
  for (let i = 0; i < 8; i += 1) statuses.push((await served.as('edge-1', path)).status);
  t.strictSame(statuses.slice(0, 5), [200, 200, 200, 200, 200]);
  t.ok(statuses.slice(5).includes(429));
  const limited = await served.as('edge-1', path);
  if (limited.status === 429) t.match(limited.headers, { 'retry-after': /^[1-9]/ });
  t.equal((await served.as('edge-2', path)).status, 200, 'another is not concerned');
  t.equal((await served.as('edge-1', `/v1/blobs/sha256/${'0'.repeat(64)}`)).status, 404, 'blobs have their own budget');
  const told = (await entries(served)).filter(({ code }) => code === 'EDW_ERR_STORE_RATE');
  t.equal(told.length, 1, 'one entry, not one for each');
});

t.test('a certificate that names many points may ask for all of them', async (t) => {
  const limits = { requests: { perSecond: 1, burst: 5 }, blobs: { perSecond: 1, burst: 2 } };
  const served = await published(t, { config: { rateLimits: limits } });
  const site = await served.certificates.point('edge-1', ...Array.from({ length: 9 }, (_, at) => `edge-1${at}`));
  const answers = await Promise.all(Array.from({ length: 50 }, () => served.ask(site, '/v1/roots/1')));
  t.ok(answers.every(({ status }) => status === 200));
});

t.test('a service that reports ever another refusal does not fill the record', async (t) => {
  const served = await published(t);
  const before = (await entries(served)).length;
  for (let revision = 1; revision <= 60; revision += 1) {
    const nack = { revision, stage: 'apply' as const, code: 'EDW_ERR_X', message: 'again' };
    const body = { ...report('edge-1'), nack, contradicted: revision % 2 === 0 };
    t.equal((await served.as('edge-1', '/v1/points/edge-1/status', { body })).status, 204);
  }
  const told = (await entries(served)).length - before;
  t.ok(told >= 20 && told < 45, `${told} entries`);
});

t.test('who waits is answered when the store ends, and finds it again', async (t) => {
  const served = await published(t);
  const { epoch, revision, stateRoot } = headOf((await served.as('edge-1', '/v1/points/edge-1/head')).text);
  const path = `/v1/points/edge-1/delta?from=${epoch}.${revision}.${stateRoot}`;
  const waiting = Array.from({ length: 10 }, () => served.as('edge-1', path, { headers: { prefer: 'wait=60' } }));
  await until('they wait', () => served.store.publishing.status().waiting === 10);
  await served.stop();
  for (const answer of await Promise.all(waiting)) t.equal(answer.status, 204);
  await served.start();
  t.equal((await served.as('edge-1', path)).status, 204, 'the same head, with the same number');
});

t.test('the mirror is what is served, and holds no key', async (t) => {
  const served = await published(t);
  const mirror = join(served.dir, 'mirror');
  // Names and labels follow after a while, for whoever reads denials.
  const folders = readdirSync(mirror).filter((name) => name !== 'inventory.ndjson');
  t.strictSame(folders.sort(), ['blobs', 'heads', 'roots']);
  t.strictSame(readdirSync(join(mirror, 'heads')).sort(), ['edge-1.json', 'edge-2.json']);
  const served1 = await served.as('edge-1', '/v1/points/edge-1/head');
  t.equal(readFileSync(join(mirror, 'heads/edge-1.json'), 'utf8'), served1.text);
  t.equal(readFileSync(join(mirror, 'roots/1.json'), 'utf8'), (await served.as('edge-1', '/v1/roots/1')).text);
  for (const point of points)
    for (const digest of served.store.publishing.point(point)?.blobs ?? [])
      t.ok(readFileSync(join(mirror, 'blobs/sha256', digest)));
});

t.test('a folder that is broken or away changes nothing', async (t) => {
  const served = await published(t);
  const before = served.store.publishing.point('edge-1')?.digest;
  const broken: [name: string, workloads: object[], error: RegExp][] = [
    ['an address that is none', [{ name: 'x', labels: {}, addresses: ['10.0.0.300'] }], /x|address/],
    ['two of one name', [...crms(2), ...crms(1)], /crm-1/],
  ];
  for (const [name, workloads, error] of broken) {
    await served.inventory(...workloads);
    await until(`it is told: ${name}`, () => error.test(served.store.status().inventory.error?.message ?? ''));
    t.match(served.store.status().inventory.error, { code: 'EDW_ERR_STORE_INVENTORY' }, name);
    t.equal(served.store.publishing.point('edge-1')?.digest, before, name);
  }
  await served.inventory(...crms(4));
  await until('it is well again', () => served.store.status().inventory.error === null);
  t.equal(served.store.publishing.point('edge-1')?.state?.book.count, 4);
});

t.test('health and metrics are there for this machine', async (t) => {
  const served = await published(t);
  const get = async (path: string): Promise<string> => (await fetch(served.store.metricsUrl + path)).text();
  t.equal(await get('/livez'), 'ok\n');
  t.equal(await get('/readyz'), 'ready\n');
  const text = await get('/metrics');
  for (const line of [
    /^edgeward_store_heads_published_total 2$/m,
    /^edgeward_store_version 1$/m,
    /points\{state="silent"\} 2$/m,
  ])
    t.match(text, line);
});

function report(point: string): PointReport {
  return {
    typ: 'edgeward-report/1',
    point,
    at: new Date().toISOString(),
    service: 'site-1',
    epoch: 1,
    revision: 1,
    applied: 1,
    state: 'current',
    nack: null,
    witnessed: null,
    contradicted: false,
    denials: { total: 0, sinceMs: 0 },
  };
}
