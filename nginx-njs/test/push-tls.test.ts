/** Pushes over mutual TLS, on a real NGINX: who may, and that everybody else is refused and told why. */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import {
  type CertificateFiles,
  type Edge,
  freePort,
  type OnNginx,
  onEveryNginx,
  type TestCertificates,
  testCertificates,
} from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import type { NginxPoint, PushTlsFiles } from '../driver/index.ts';
import { writeSnippets } from '../driver/index.ts';
import { statusOf } from './fixtures/asking.ts';
import { smallPolicy } from './fixtures/policies.ts';

const claim = await onEveryNginx(t);

const DAY_MS = 86_400_000;

interface TlsEdge extends Edge {
  /** The driver over TLS, with these files. */
  tlsPoint(files: Partial<PushTlsFiles>, host?: string): NginxPoint;
  tlsPort: number;
  own: TestCertificates;
  folder: string;
  named: CertificateFiles;
}

/** `edgeward` and `sync.eu-1` may push. */
async function startTlsEdge(t: Test, on: OnNginx): Promise<TlsEdge> {
  const folder = t.testdir();
  const own = await testCertificates(join(folder, 'own'));
  const [server, named] = [await own.server({ hosts: ['127.0.0.1'] }), await own.point('edgeward')];
  const pushTls = join(folder, 'push-tls');
  await mkdir(pushTls);
  await copyFile(server.certFile, join(pushTls, 'certificate.pem'));
  await copyFile(server.keyFile, join(pushTls, 'key.pem'));
  await copyFile(own.caFile, join(pushTls, 'client-ca.pem'));
  const tlsPort = await freePort();
  const edge = await on.startEdge(t);
  await writeSnippets({
    ...edge.paths,
    out: join(folder, 'snippets'),
    listen: `nginx:${tlsPort}`,
    pushTls: { folder: pushTls, clients: ['CN=edgeward', 'CN=sync.eu-1'] },
    zoneSize: '4m',
  });
  await edge.configure({ extra: `include ${join(folder, 'snippets')}/push-tls.conf;` });
  await edge.reload();
  const push = (host: string): string => `https://${host}:${tlsPort}`;
  const tlsPoint: TlsEdge['tlsPoint'] = (files, host = '127.0.0.1') =>
    edge.point({ push: push(host), tls: { ...named, ...files } });
  return { ...edge, tlsPoint, tlsPort, own, folder, named };
}

claim('a named client with a certificate and the token pushes, and what it pushes is in force', async (t, on) => {
  const edge = await startTlsEdge(t, on);
  const point = edge.tlsPoint({});
  t.strictSame(await point.inspect(), { state: 'empty' });
  await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  t.match(await point.inspect(), { state: 'loaded', revision: 1, drift: [] });
  t.strictSame([await statusOf(edge), await statusOf(edge, { from: '127.0.0.9' })], [200, 403]);
  await edge.tlsPoint(await edge.own.point('sync.eu-1')).apply(smallPolicy({ revision: 2, allow: ['127.0.0.9'] }));
  t.strictSame([await statusOf(edge), await statusOf(edge, { from: '127.0.0.9' })], [403, 200], 'each that is named');
});

claim('anybody else is refused, whatever their token', async (t, on) => {
  const edge = await startTlsEdge(t, on);
  const other = await testCertificates(join(edge.folder, 'other'));
  const past = { days: 1, nowMs: Date.now() - 2 * DAY_MS };
  const unnamed = 'the subject of the client certificate is not named in push-tls.conf';
  const bad = 'the client certificate is missing, has ended or is of another authority';
  const cases: [name: string, files: CertificateFiles, message: string][] = [
    ['another authority, the same subject', await other.point('edgeward'), bad],
    ['one that has ended', await edge.own.issue({ uris: ['urn:edgeward:point:edgeward'], ...past }), bad],
    ['a point that is not named', await edge.own.point('edge-1'), unnamed],
    ['a name that begins so', await edge.own.point('edgeward2'), unnamed],
    ['a name that ends so', await edge.own.point('x-edgeward'), unnamed],
    ['a person of that name', await edge.own.person('edgeward'), unnamed],
    ['another case', await edge.own.point('Edgeward'), unnamed],
    ['a dot that is any letter', await edge.own.point('syncxeu-1'), unnamed],
    ['one for servers', await edge.own.server({ hosts: ['edgeward'] }), bad],
  ];
  for (const [name, { certFile, keyFile }, message] of cases) {
    const point = edge.tlsPoint({ certFile, keyFile });
    const refused = { code: 'EDW_ERR_POINT_CERTIFICATE', message: new RegExp(message), mend: /certFile/ };
    await t.rejects(point.inspect(), refused, name);
    await t.rejects(point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] })), refused, name);
  }
  t.strictSame(await withoutCertificate(edge), [403, bad], 'no certificate');
  t.strictSame(await edge.tlsPoint({}).inspect(), { state: 'empty' }, 'none of them wrote anything');
});

claim('a certificate is no token', async (t, on) => {
  const edge = await startTlsEdge(t, on);
  const tokenFile = join(edge.folder, 'token');
  await writeFile(tokenFile, 'x'.repeat(48), { mode: 0o600 });
  const { certFile, keyFile, caFile } = edge.named;
  const tls = { certFile, keyFile, caFile };
  const point = edge.point({ push: `https://127.0.0.1:${edge.tlsPort}`, tls, tokenFile });
  await t.rejects(point.inspect(), { code: 'EDW_ERR_POINT_TOKEN' });
});

claim('nothing is pushed to a server that the authority does not vouch for', async (t, on) => {
  const edge = await startTlsEdge(t, on);
  const other = await testCertificates(join(edge.folder, 'other'));
  const distrusted = { code: 'EDW_ERR_POINT_CERTIFICATE', mend: /caFile/ };
  await t.rejects(edge.tlsPoint({ caFile: other.caFile }).inspect(), distrusted, 'another authority');
  await t.rejects(edge.tlsPoint({}, 'localhost').inspect(), distrusted, 'a name that is not in the certificate');
});

claim('files that can not be used are named, and may change while everything runs', async (t, on) => {
  const edge = await startTlsEdge(t, on);
  const [caFile = '', certFile = '', keyFile = ''] = ['ca', 'cert', 'key'].map((it) => join(edge.folder, `${it}.pem`));
  const files = { caFile, certFile, keyFile };
  await writeFile(caFile, 'nothing');
  const point = edge.tlsPoint(files);
  const put = (key: keyof typeof files, from: string): Promise<void> => copyFile(from, files[key]);
  await t.rejects(point.inspect(), { code: 'EDW_ERR_POINT_CERTIFICATE', message: /ca\.pem.*no PEM/ });
  await put('caFile', edge.named.caFile);
  const stranger = await edge.own.point('stranger');
  await put('certFile', stranger.certFile);
  await t.rejects(point.inspect(), { code: 'EDW_ERR_SECRET_FILE', message: /key\.pem/ });
  await writeFile(files.keyFile, edge.named.key, { mode: 0o600 });
  await t.rejects(point.inspect(), { code: 'EDW_ERR_POINT_CERTIFICATE', message: /cert\.pem with/ }, 'not its key');
  await writeFile(files.keyFile, stranger.key, { mode: 0o600 });
  await t.rejects(point.inspect(), { code: 'EDW_ERR_POINT_CERTIFICATE', message: /not named/ }, 'what they say counts');
});

claim('what stands between two calls is used for neither once it changed', async (t, on) => {
  const edge = await startTlsEdge(t, on);
  const stranger = await edge.own.point('stranger');
  const [certFile, keyFile] = [join(edge.folder, 'cert.pem'), join(edge.folder, 'key.pem')];
  const take = async ({ cert, key }: CertificateFiles): Promise<void> => {
    await writeFile(certFile, cert);
    await writeFile(keyFile, key, { mode: 0o600 });
  };
  const point = edge.tlsPoint({ certFile, keyFile });
  await take(edge.named);
  t.strictSame(await point.inspect(), { state: 'empty' });
  await take(stranger);
  await t.rejects(point.inspect(), { code: 'EDW_ERR_POINT_CERTIFICATE' }, 'not over the connection of the one before');
  await take(await edge.own.point('edgeward'));
  t.strictSame(await point.inspect(), { state: 'empty' }, 'renewed');
});

t.test('with pushes over TLS there is no plain endpoint', async (t) => {
  const out = t.testdir();
  const files = { tokenFile: '/t', denyLog: `${out}/d`, lastKnownFile: '/l', zoneSize: '1m' };
  const pushTls = { folder: '/tls', clients: ['CN=edgeward,OU=services,O=Shop + Co.'] };
  await writeSnippets({ out, listen: 'nginx.example:9443', pushTls, ...files });
  const [http, tls] = [
    await readFile(join(out, 'http.conf'), 'utf8'),
    await readFile(join(out, 'push-tls.conf'), 'utf8'),
  ];
  t.notMatch(http, /^ *(listen|js_content|server)\b/m);
  t.ok(http.endsWith(`include ${out}/push-tls.conf;\n`));
  t.match(tls, /^ {4}listen 9443 ssl;\n {4}listen \[::\]:9443 ssl;$/m);
  t.ok(tls.includes('    "~^SUCCESS CN=edgeward,OU=services,O=Shop \\+ Co\\.$" 0;\n'), 'the subject, literally');
  t.notMatch(tls, /\/etc\/edgeward|CN=edgeward\$/, 'nothing of the defaults is left');
});

t.test('a subject that NGINX would not read as one word is refused, and so is nobody', async (t) => {
  const out = t.testdir();
  const files = { tokenFile: '/t', denyLog: `${out}/d`, lastKnownFile: '/l', zoneSize: '1m' };
  const wanted = { code: 'EDW_ERR_PUSH_CLIENT', mend: /RFC2253/ };
  for (const clients of [
    [],
    ['edgeward'],
    ['CN=a"b'],
    ['CN=a\\,b'],
    ['CN=$x'],
    ['CN=a;b'],
    ['CN=(.*)'],
    ['CN=a\nb'],
    [''],
  ]) {
    const writing = writeSnippets({ out, listen: 'n:1', pushTls: { folder: '/tls', clients }, ...files });
    await t.rejects(writing, wanted, JSON.stringify(clients));
  }
});

/** Status and message of the answer. Certificate aside it is a call as the driver makes it. */
function withoutCertificate(edge: TlsEdge): Promise<[number, string]> {
  const headers = { authorization: `Bearer ${edge.token}` };
  const url = `https://127.0.0.1:${edge.tlsPort}/edgeward/state`;
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { ca: edge.own.ca, headers, agent: false }, (response) => {
      response.setEncoding('utf8');
      let text = '';
      response.on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => {
        const { error } = JSON.parse(text) as { error: { message: string } };
        resolve([response.statusCode ?? 0, error.message]);
      });
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}
