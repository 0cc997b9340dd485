/** Points whose deny log is on another machine, as edgeward.yaml has them. Denials themselves: test/system/forwarder.test.ts. */
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadServiceConfig } from '../src/config.ts';

const listen = `
    certFile: tls/cert.pem
    keyFile: tls/key.pem
    clientCaFile: /etc/edgeward/ca.pem
`;

function configOf(t: Test, text: string): ReturnType<typeof loadServiceConfig> {
  return loadServiceConfig({ file: join(t.testdir({ 'edgeward.yaml': text }), 'edgeward.yaml'), env: {} });
}

t.test('only points that say so are forwarded, to an address with a certificate', async (t) => {
  const text = `points: { edge-1: {}, edge-2: { push: 'http://127.0.0.1:9181', forwarded: true } }\ndenials:\n  listen:${listen}`;
  const { forwarders } = await configOf(t, text);
  t.match(forwarders, {
    listen: { host: '0.0.0.0', port: 9443 },
    files: { certFile: /\/tls\/cert\.pem$/, keyFile: /^\//, clientCaFile: '/etc/edgeward/ca.pem' },
    recordsPerSecond: 20_000,
    points: ['edge-2'],
  });
  t.equal((await configOf(t, 'points: { edge-1: {} }')).forwarders, undefined, 'without it nothing listens');
});

t.test('what would be sent to nobody, or in clear, is refused', async (t) => {
  const table: [name: string, text: string, says: RegExp][] = [
    [
      'a forwarder without an address',
      'points: { edge-2: { forwarded: true } }',
      /edge-2\.forwarded: .*denials\.listen/,
    ],
    ['no certificates', 'denials: { listen: { listen: 127.0.0.1:9443 } }', /denials\.listen\.certFile/],
    ['no address', `denials:\n  listen:\n    listen: here${listen}`, /denials\.listen\.listen/],
  ];
  for (const [name, text, says] of table)
    await t.rejects(configOf(t, text), { code: 'EDW_ERR_CONFIG', message: says }, name);
});
