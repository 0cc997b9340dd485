import { createServer } from 'node:net';
import t from 'tap';
import { createIcontrol } from '../../driver/icontrol/index.ts';
import { makeCertificate } from './fixtures/certificate.ts';
import { startStage } from './fixtures/stage.ts';

const serve = ({ path }: { path: string }) => (path.startsWith('shared/auth') ? null : { json: { kind: 'tm:x' } });

t.test('a box is believed only with a certificate that an authority of ours signed for its name', async (t) => {
  for (const [name, certificate, ca] of [
    ['another authority', makeCertificate(['127.0.0.1']), makeCertificate(['127.0.0.1']).cert],
    ['another host', makeCertificate(['bigip.example']), null],
    ['a certificate that ended', makeCertificate(['127.0.0.1'], { expired: true }), null],
    ['only the authorities of the system', makeCertificate(['127.0.0.1']), undefined],
  ] as const) {
    const stage = await startStage(t, serve, { certificate });
    const box = createIcontrol({
      ...{ url: stage.url, user: 'edgeward', passwordFile: stage.passwordFile, timeoutMs: 5000 },
      ...(ca !== undefined && { ca: ca ?? stage.ca }),
      logger: (await import('@edgeward/runtime')).createLogger({ level: 'silent' }),
    });
    t.teardown(() => box.close());
    await t.rejects(box.get('tm/a'), { code: 'EDW_ERR_BIGIP_CERTIFICATE', mend: /`ca`/ }, name);
    t.strictSame(stage.lines(), [], `${name}: nothing was sent`);
  }
});

t.test('an environment that switches verification off does not', async (t) => {
  const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  t.teardown(() => {
    if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
  });
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  const stage = await startStage(t, serve);
  const other = stage.client({ ca: makeCertificate(['127.0.0.1']).cert });
  await t.rejects(other.get('tm/a'), { code: 'EDW_ERR_BIGIP_CERTIFICATE' });
  t.strictSame(await stage.client().get('tm/a'), { kind: 'tm:x' }, 'with the right one it goes');
});

t.test('several authorities may stand in one file', async (t) => {
  const stage = await startStage(t, serve);
  const box = stage.client({ ca: `# ours\n${makeCertificate(['x.example']).cert}${stage.ca}` });
  t.strictSame(await box.get('tm/a'), { kind: 'tm:x' });
});

t.test('an authority that can not be read is refused at once', async (t) => {
  const stage = await startStage(t, serve);
  for (const ca of ['', 'x', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n']) {
    t.throws(() => stage.client({ ca }), { code: 'EDW_ERR_BIGIP_CERTIFICATE' }, JSON.stringify(ca));
  }
});

t.test('only https:// and a host is an address, and a password in one is not repeated', async (t) => {
  const stage = await startStage(t, serve);
  for (const url of [
    'http://127.0.0.1',
    'https://',
    '127.0.0.1',
    '',
    'https://h/mgmt',
    'https://h/?x',
    'https://h#x',
    'https://u:secret@h',
    'ftp://h',
  ]) {
    const error = t.throws(() => stage.client({ url }), { code: 'EDW_ERR_BIGIP_URL', mend: /https:/ }, url);
    t.notMatch(JSON.stringify(error), 'secret');
  }
  t.equal(stage.client({ url: 'https://Bigip.Example:8443/' }).url, 'https://bigip.example:8443');
});

t.test('what does not answer is unreachable', async (t) => {
  const plain = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const silent = createServer((socket) => socket.on('error', () => {}));
  for (const server of [plain, silent]) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => server.close());
  }
  const stage = await startStage(t, serve);
  const portOf = (server: typeof plain): number => (server.address() as { port: number }).port;
  for (const [name, url] of [
    ['nobody listens', 'https://127.0.0.1:1'],
    ['no TLS', `https://127.0.0.1:${portOf(plain)}`],
    ['silence', `https://127.0.0.1:${portOf(silent)}`],
  ] as const) {
    const box = stage.client({ url, timeoutMs: 600 });
    await t.rejects(
      box.get('tm/a'),
      { code: 'EDW_ERR_POINT_UNREACHABLE', message: /logging in to https:/, mend: /address/ },
      name,
    );
    await t.rejects(box.modify('tm/a', {}), { code: 'EDW_ERR_POINT_UNREACHABLE' }, `${name}, for a write`);
    await box.close();
  }
});
