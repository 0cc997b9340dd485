import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ConnectionOptions, connect } from 'node:tls';
import t, { type Test } from 'tap';
import { collectorFor, denyStream, until } from './kit.ts';
import { type Sender, sender, senderTo } from './sender.ts';
import { authority, writeFiles } from './tls.ts';

const securely = (t: Test, port: number, options: ConnectionOptions): Promise<Sender> =>
  sender(t, connect({ host: '127.0.0.1', port, ...options }), 'secureConnect');

t.test('only a client with a certificate of the named authority is heard', async (t) => {
  const dir = t.testdir({});
  const [ours, theirs] = [await authority('ours'), await authority('theirs')];
  const server = await ours.sign('collector');
  const tls = writeFiles(dir, server, ours);
  const listener = { point: 'big-1', listen: { host: '0.0.0.0', port: 0 }, from: ['127.0.0.1'], tls };
  const collector = await collectorFor({ ledgerFile: join(dir, 'ledger.db'), logs: [], listeners: [listener] });
  t.teardown(() => collector.close());
  await collector.start();
  const status = () => collector.listeners()[0];
  t.equal(status()?.error, null);
  const port = status()?.listen.port ?? 0;
  const ca = ours.cert;
  const strangers: [name: string, connected: () => Promise<Sender>][] = [
    ['no TLS', () => senderTo(t, port)],
    ['no certificate', () => securely(t, port, { ca })],
    ['no certificate, TLS 1.2', () => securely(t, port, { ca, maxVersion: 'TLSv1.2' })],
    ['one of another authority', async () => securely(t, port, { ca, ...(await theirs.sign('bigip')) })],
    [
      'an authority of the same name',
      async () => securely(t, port, { ca, ...(await (await authority('ours')).sign('b')) }),
    ],
    ['an old protocol', () => securely(t, port, { ca, ...server, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' })],
  ];
  for (const [i, [name, connected]] of strangers.entries()) {
    const stranger = await connected();
    stranger.write(denyStream(1, 2, { epoch: 'stranger' }));
    await stranger.closed;
    await until(`${name} is counted`, () => status()?.refused.tls === i + 1);
  }
  const elsewhere = await senderTo(t, port, '127.0.0.2');
  await elsewhere.closed;
  t.match(status(), { refused: { tls: strangers.length, peer: 1 }, observed: 0 });

  const client = await ours.sign('bigip-a');
  for (const [i, maxVersion] of (['TLSv1.2', 'TLSv1.3'] as const).entries()) {
    const known = await securely(t, port, { ca, ...client, maxVersion });
    known.write(denyStream(1 + i, 2 + i));
    await until('it is stored', () => status()?.stored === i + 1);
    t.equal(status()?.connections, 1);
    known.socket.end();
    await until('it is gone', () => status()?.connections === 0);
  }
  t.match(status(), { refused: { tls: strangers.length, peer: 1 }, observed: 2, missing: 0, unparsed: {} });
  const last = await securely(t, port, { ca, ...client });
  await collector.close();
  await last.closed;
});

t.test('files that cannot be used show in the status, and are read again until they can', async (t) => {
  const dir = t.testdir({ 'prose.pem': 'prose' });
  const ours = await authority('ours');
  const server = await ours.sign('collector');
  const good = writeFiles(dir, server, ours);
  const prose = join(dir, 'prose.pem');
  chmodSync(prose, 0o600);
  const open = join(dir, 'open.pem');
  writeFileSync(open, server.key);
  chmodSync(open, 0o644);
  const broken = [
    { certFile: prose },
    { certFile: join(dir, 'nowhere.pem') },
    { keyFile: prose },
    { keyFile: join(dir, 'nowhere.pem') },
    { keyFile: open },
    { clientCaFile: prose },
    { clientCaFile: join(dir, 'nowhere.pem') },
  ];
  const codes = ['EDW_ERR_SYSLOG_TLS', 'EDW_ERR_SECRET_FILE'];
  for (const [i, files] of broken.entries()) {
    const listener = { point: 'big-1', listen: { host: '0.0.0.0', port: 0 }, from: ['127.0.0.1'] };
    const tls = { ...good, ...files };
    const collector = await collectorFor({
      ledgerFile: join(dir, `${i}.db`),
      logs: [],
      listeners: [{ ...listener, tls }],
    });
    t.teardown(() => collector.close());
    await collector.start();
    const { error, listen } = collector.listeners()[0] ?? {};
    t.ok(codes.includes(error?.code ?? ''), `${JSON.stringify(files)}: ${error?.message}`);
    t.equal(listen?.port, null, 'nothing is listened on');
    if (i === 0) {
      writeFileSync(prose, server.cert);
      await until('it listens', () => collector.listeners()[0]?.listen.port !== null);
      writeFileSync(prose, 'prose');
    }
    await collector.close();
  }
});
