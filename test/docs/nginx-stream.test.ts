/** What docs/nginx-stream.md shows, on a real NGINX. */
import { readFile, writeFile } from 'node:fs/promises';
import { yamlDocuments } from '@edgeward/policy-source';
import { compileDocuments, freePort, rawConnection, requireNginx, startEdge } from '@edgeward/test/kit';
import t from 'tap';
import { blocksOf, page } from './markdown.ts';

await requireNginx(t, 'debian-13');

const blocks = blocksOf(page('docs/nginx-stream.md'));
const block = (info: string): string => blocks.find((it) => it.info === info)?.text ?? '';
const shown = blocks
  .filter(({ info }) => info === 'yaml')
  .flatMap(({ text, line }) => yamlDocuments(text, `nginx-stream.md:${line}`).documents)
  .map(({ value }) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>)
  .find(({ kind }) => kind === 'VirtualServer');

const policyFor = (source: string): ReturnType<typeof compileDocuments> => {
  const rules = [{ id: 'r', from: [{ cidr: source }], to: "role == 'db'" }];
  return compileDocuments(
    [
      { ...shown, mode: 'enforce' },
      { kind: 'Policy', name: 'p', rules },
    ],
    { revision: 1 },
  );
};

t.test('the lines for a server judge its connections, with the document of the page', async (t) => {
  const edge = await startEdge(t, { edition: 'debian-13', stream: [{ name: 'db', protect: false }] });
  const text = await readFile(edge.paths.configFile, 'utf8');
  t.ok(
    text.includes(block('nginx stream').trim().replace('/etc/edgeward/nginx', edge.paths.snippets)),
    'as the kit has it',
  );
  const extra = `set $edgeward_port 5432; ${block('nginx stream-server').replaceAll('/etc/edgeward/nginx', edge.paths.snippets)}`;
  await edge.configure({ stream: [{ name: 'db', protect: false, extra }] });
  await edge.reload();
  const connecting = (localAddress: string): Promise<string> =>
    rawConnection({ port: edge.ports.db ?? 0, localAddress });
  t.equal(await connecting('127.0.0.1'), '', 'denied before there is a policy');
  await edge.point().apply(policyFor('127.0.0.1'));
  t.strictSame([await connecting('127.0.0.1'), await connecting('127.0.0.2')], ['through\n', '']);
});

t.test('behind a balancer that speaks the PROXY protocol the client is judged', async (t) => {
  const edge = await startEdge(t, { edition: 'debian-13', stream: [{ name: 'db', protect: false }] });
  const port = await freePort();
  const lines = block('nginx stream-server proxied')
    .replace('listen 5433 ', `listen 127.0.0.1:${port} `)
    .replace('198.51.100.0/28', '127.0.0.1')
    .replaceAll('/etc/edgeward/nginx', edge.paths.snippets);
  const text = await readFile(edge.paths.configFile, 'utf8');
  await writeFile(edge.paths.configFile, `${text.trimEnd().slice(0, -1)} server { ${lines} return "through\\n"; } }\n`);
  await edge.reload();
  await edge.point().apply(policyFor('203.0.113.9'));
  const said = (address: string): Promise<string> =>
    rawConnection({ port, bytes: `PROXY TCP4 ${address} 192.0.2.1 1 2\r\n` });
  t.strictSame([await said('203.0.113.9'), await said('203.0.113.8')], ['through\n', '']);
});
