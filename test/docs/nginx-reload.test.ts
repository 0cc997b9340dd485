/** What docs/nginx-reload.md shows, on the NGINX of Debian 12, and read by what reads it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadServiceConfig } from '@edgeward/sync-service';
import { compileDocuments, rawRequest, requireNginx } from '@edgeward/test/kit';
import t from 'tap';
import { reloadStand } from '../../nginx-njs/test/reload/reload-stand.ts';
import { blocksOf, page } from './markdown.ts';

await requireNginx(t, 'debian-12');
const text = page('docs/nginx-reload.md');

function block(info: string): string {
  const found = blocksOf(text).filter((one) => one.info === info);
  t.equal(found.length, 1, `one block of \`${info}\``);
  return found[0]?.text ?? '';
}

const front = { kind: 'VirtualServer', labels: {}, point: 'edge-1', mode: 'enforce' };
const policy = compileDocuments(
  [
    { ...front, name: 'order-front', bind: 'order-front', ports: ['tcp/443'] },
    { ...front, name: 'orders-db', bind: 'orders-db', ports: ['tcp/5432'], protocol: 'tcp' },
    { kind: 'Policy', name: 'p', rules: [{ id: 'r', from: [{ cidr: '127.0.0.1' }], to: 'all()' }] },
  ],
  { revision: 1 },
);

t.test('the lines of the page protect a server and a stream server', async (t) => {
  const stand = await reloadStand(t, { http: { shop: '' }, stream: ['db'] });
  const here = (lines: string): string =>
    lines
      .replaceAll('/etc/edgeward/nginx', join(stand.folder, 'snippets'))
      .replaceAll('/var/lib/edgeward/points/edge-1/deny.log', stand.denyLog)
      .replaceAll('/var/log/nginx', join(stand.folder, 'log'));
  await stand.configure({
    bare: true,
    main: block('nginx main'),
    extra: here(block('nginx http')),
    http: {
      shop: here(
        `# edgeward\n set $edgeward_port 443; ${block('nginx server')} ${block('nginx server log')} location / { return 200; }`,
      ),
    },
    streamExtra: here(`${block('nginx stream')} upstream orders_db { server 127.0.0.1:${stand.upstream}; }`),
    streamServer: here(`set $edgeward_port 5432; ${block('nginx stream server')}`),
  });
  const point = stand.point();
  await point.prepare();
  await stand.start();
  const ask = async (name: string, localAddress: string): Promise<[number, string]> => {
    const bytes = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    const { status, body } = await rawRequest({ port: stand.ports[name] ?? 0, bytes, localAddress });
    return [status, body];
  };
  t.equal((await ask('shop', '127.0.0.1'))[0], 403, 'denied before there is a policy');
  await point.apply(policy);
  t.strictSame([(await ask('shop', '127.0.0.1'))[0], (await ask('shop', '127.0.0.9'))[0]], [200, 403]);
  t.equal(
    (await stand.denials()).filter(({ source }) => source === '127.0.0.9').length,
    1,
    'with its own access_log too',
  );
  t.equal(await connection(stand.ports.db ?? 0, '127.0.0.1'), 'through');
  t.equal(await connection(stand.ports.db ?? 0, '127.0.0.9'), '', 'closed without a word');
});

/** What is answered to who connects and says nothing. */
async function connection(port: number, localAddress: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', localAddress, timeout: 20_000 });
  socket.on('timeout', () => socket.destroy(new Error('no end')));
  let answer = '';
  for await (const piece of socket.setEncoding('utf8')) answer += piece;
  return answer;
}

t.test('edgeward.yaml of the page is a configuration, with either way to reload', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-docs-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const [whole = '', sudo = ''] = blocksOf(text).flatMap((one) => (one.info === 'yaml' ? [one.text] : []));
  const file = join(folder, 'edgeward.yaml');
  const read = async (
    yaml: string,
  ): Promise<Awaited<ReturnType<typeof loadServiceConfig>>['points'][number] | undefined> => {
    await writeFile(file, yaml);
    return (await loadServiceConfig({ file })).points[0];
  };
  t.match(await read(whole), {
    streamPush: 'tcp://127.0.0.1:9181',
    native: {
      mode: 'reload',
      process: { reload: ['systemctl', 'reload', 'nginx.service'], pidFile: '/run/nginx.pid' },
      snapshot: { reloadsPerHour: 120, minSecondsBetween: 5, folder: '/var/lib/edgeward/points/edge-1/snapshot' },
    },
  });
  t.match(await read(`points:\n  edge-1:\n    mode: reload\n${sudo}`), {
    native: { process: { test: ['sudo', '-n', '/usr/sbin/nginx', '-t', '-q'] } },
  });
});
