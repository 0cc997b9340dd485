/** Pushes to the stream module over mutual TLS: who may, and that nothing goes in clear. */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CertificateFiles, freePort, type OnNginx, onEveryNginx, testCertificates } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { type NginxPoint, writeSnippets } from '../../driver/index.ts';
import { connecting, streamPolicy, THROUGH } from './connecting.ts';

const claim = await onEveryNginx(t, ['debian-13', 'debian-14-njs']);

interface TlsEdge {
  point(files?: Partial<CertificateFiles>): NginxPoint;
  connects(): Promise<string>;
  own: Awaited<ReturnType<typeof testCertificates>>;
  folder: string;
}

async function startTlsEdge(t: Test, on: OnNginx): Promise<TlsEdge> {
  const folder = t.testdir();
  const own = await testCertificates(join(folder, 'own'));
  const [server, named] = [await own.server({ hosts: ['127.0.0.1'] }), await own.point('edgeward')];
  const pushTls = join(folder, 'push-tls');
  await mkdir(pushTls);
  await copyFile(server.certFile, join(pushTls, 'certificate.pem'));
  await copyFile(server.keyFile, join(pushTls, 'key.pem'));
  await copyFile(own.caFile, join(pushTls, 'client-ca.pem'));
  const edge = await on.startEdge(t, { stream: [{ name: 'billing-db' }] });
  const [port, streamPort] = [await freePort(), await freePort()];
  const out = join(folder, 'snippets');
  const tls = { folder: pushTls, clients: ['CN=edgeward'] };
  const listens = { listen: `nginx:${port}`, streamListen: `nginx:${streamPort}` };
  await writeSnippets({ ...edge.paths, out, ...listens, pushTls: tls, zoneSize: '4m' });
  const text = await readFile(edge.paths.configFile, 'utf8');
  const [plain, secure] = [`${edge.paths.snippets}/stream.conf`, `${out}/stream.conf`];
  await writeFile(edge.paths.configFile, text.replace(plain, secure));
  await edge.reload();
  return {
    point: (files = {}) => edge.point({ streamPush: `tls://127.0.0.1:${streamPort}`, tls: { ...named, ...files } }),
    connects: () => connecting(edge),
    own,
    folder,
  };
}

claim('a named client with a certificate and the token pushes to the stream module', async (t, on) => {
  const edge = await startTlsEdge(t, on);
  await edge.point().apply(streamPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  t.match(await edge.point().inspect(), { state: 'loaded', revision: 1, drift: [] });
  t.equal(await edge.connects(), THROUGH);
});

claim('anybody else is refused, and nothing is pushed to whom the authority does not vouch for', async (t, on) => {
  const edge = await startTlsEdge(t, on);
  const other = await testCertificates(join(edge.folder, 'other'));
  const past = { days: 1, nowMs: Date.now() - 172_800_000 };
  const closed = { code: 'EDW_ERR_POINT_CERTIFICATE', message: /does not accept the certificate/, mend: /certFile/ };
  const unnamed = { code: 'EDW_ERR_POINT_CERTIFICATE', message: /not named/ };
  const cases: [name: string, files: CertificateFiles, refused: { code: string; message: RegExp }][] = [
    ['another authority', await other.point('edgeward'), closed],
    ['one that has ended', await edge.own.issue({ uris: ['urn:edgeward:point:edgeward'], ...past }), closed],
    ['another subject', await edge.own.point('edge-1'), unnamed],
    ['a name that begins so', await edge.own.point('edgeward2'), unnamed],
  ];
  for (const [name, { certFile, keyFile }, refused] of cases) {
    const policy = streamPolicy({ revision: 1, allow: ['127.0.0.1'] });
    await t.rejects(edge.point({ certFile, keyFile }).apply(policy), refused, name);
    t.equal(await edge.connects(), '', `${name}: nothing is in force`);
  }
  const distrusted = { code: 'EDW_ERR_POINT_CERTIFICATE', mend: /caFile/ };
  await t.rejects(edge.point({ caFile: other.caFile }).probe(), distrusted, 'a server of another authority');
});
