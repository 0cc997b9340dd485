/** Where an object is asked: what the configuration says, and what is guessed without it. */
import { compileDocuments } from '@edgeward/test/kit';
import t from 'tap';
import { proofPlace } from '../../src/proof/proof-address.ts';
import type { ProofConfig } from '../../src/proof/proof-schema.ts';

const object = (...ports: string[]): Parameters<typeof proofPlace>[2] => {
  const front = { kind: 'VirtualServer', name: 'a', labels: { app: 'a' }, point: 'edge-1', bind: 'a', ports };
  const protocol = ports.some((port) => port.startsWith('udp')) ? 'tcp' : 'http';
  const [compiled] = compileDocuments([{ ...front, protocol }], { revision: 1 }).objects;
  if (compiled === undefined) throw new Error('nothing was compiled');
  return compiled;
};
type Own = Partial<ProofConfig['objects'][string]>;
const config = (own: Own | null, mode: 'on' | 'off' = 'on'): ProofConfig => ({
  mode,
  everyMs: 60_000,
  objects: own === null ? {} : { a: { mode: 'on', url: null, host: null, caFile: null, ...own } },
});

const none = (why: string): object => ({ state: 'none', why });
const connections = 'protocol: tcp, and a connection carries no question';
const guess = (url: string, more = {}): object => ({ state: 'guessed', at: { url, ...more } });
const cases: [name: string, config: ProofConfig, push: string, ports: string[], place: object][] = [
  ['on loopback', config(null), 'http://127.0.0.1:9180', ['tcp/443'], guess('https://127.0.0.1:443')],
  ['over IPv6', config(null), 'http://[::1]:9180', ['tcp/80', 'tcp/443'], guess('http://[::1]:80')],
  ['elsewhere', config(null), 'https://nginx-1.example:9180', ['tcp/8443'], guess('https://nginx-1.example:8443')],
  ['another port', config(null), 'http://localhost:9180', ['tcp/8080-8090'], guess('http://localhost:8080')],
  ['connections too', config(null), 'http://localhost:9180', ['udp/443', 'tcp/444'], none(connections)],
  ['connections', config(null), 'http://localhost:9180', ['udp/53'], none(connections)],
  [
    'connections that an http server takes',
    config({ url: 'http://localhost:53' }),
    'http://localhost:9180',
    ['udp/53'],
    { state: 'given', at: { url: 'http://localhost:53' } },
  ],
  [
    'a host alone',
    config({ host: 'shop.example' }),
    'http://127.0.0.1:9180',
    ['tcp/80'],
    guess('http://127.0.0.1:80', { host: 'shop.example' }),
  ],
  [
    'all of it',
    config({ url: 'https://10.0.0.1:8443/up', host: 'shop.example', caFile: '/ca.pem' }),
    'http://127.0.0.1:9180',
    ['tcp/443'],
    { state: 'given', at: { url: 'https://10.0.0.1:8443/up', host: 'shop.example', caFile: '/ca.pem' } },
  ],
  ['off for the point', config({ url: 'http://x' }, 'off'), 'http://x', ['tcp/80'], none('off, as edgeward.yaml says')],
  ['off for the object', config({ mode: 'off' }), 'http://x', ['tcp/80'], none('off, as edgeward.yaml says')],
];

t.test('an object is asked where the configuration says, else at the point`s host on its first TCP port', async (t) => {
  for (const [name, given, push, ports, place] of cases)
    t.strictSame(proofPlace(given, push, object(...ports)), place, name);
});
