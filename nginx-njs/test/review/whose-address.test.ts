/** Whose address `whoami` names, against `$remote_addr` of a real NGINX and the address in its deny event. */
import { compileDocuments } from '@edgeward/test/kit';
import t from 'tap';
import { askedAddresses } from '../../driver/review/asked-address.ts';
import { HOOK, onEachStand, server } from './fixtures/stand.ts';

/** By the Host that selects each. */
const settings: Record<string, string> = {
  none: '',
  plain: 'set_real_ip_from 127.0.0.0/30; real_ip_header X-Forwarded-For;',
  recursive:
    'set_real_ip_from 127.0.0.0/30; set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For; real_ip_recursive on;',
  default: 'set_real_ip_from 127.0.0.0/30;',
  other: 'set_real_ip_from 127.0.0.1; real_ip_header X-Client;',
  bits: 'set_real_ip_from 127.0.0.7/29; real_ip_header X-Forwarded-For;',
};
const headers: string[][] = [
  [],
  ['X-Forwarded-For: 203.0.113.7'],
  ['X-Forwarded-For: 6.6.6.6, 203.0.113.7, 10.1.1.1'],
  ['X-Forwarded-For: 6.6.6.6, unknown, 10.1.1.1'],
  ['X-Forwarded-For: 203.0.113.7, unknown'],
  ['X-Forwarded-For: 203.0.113.7:4711'],
  ['X-Forwarded-For: 10.0.0.2,10.0.0.1 , '],
  ['X-Forwarded-For: 2001:db8::7'],
  ['X-Forwarded-For: [2001:db8::7]:80'],
  ['X-Forwarded-For: ::ffff:203.0.113.9'],
  ['X-Forwarded-For: 6.6.6.6', 'x-forwarded-for: 10.0.0.1'],
  ['X-Real-IP: 203.0.113.8'],
  ['X-Client: 203.0.113.9', 'X-Client: 203.0.113.10'],
  ['X-Forwarded-For: 010.0.0.1'],
  ['X-Forwarded-For: '],
];

await onEachStand(t, async (t, stand) => {
  t.test('what is said before is what NGINX takes', async (t) => {
    const servers = Object.entries(settings).map(([name, lines]) =>
      server(`server_name ${name}; ${lines} location / { return 200 "$remote_addr"; }`),
    );
    await stand.use({ http: servers.join('') });
    const dump = await stand.dump();
    for (const from of ['127.0.0.1', '127.0.0.9']) {
      for (const lines of headers) {
        const asked = askedAddresses(dump, { from, headers: lines.map(pairOf), proxied: null }, null);
        for (const name of Object.keys(settings)) {
          const bytes = `${['GET / HTTP/1.1', `Host: ${name}`, 'Connection: close', ...lines].join('\r\n')}\r\n\r\n`;
          const { body } = await stand.ask({ from, bytes });
          const said = asked.find(({ title }) => title === name);
          t.equal(said?.remoteAddress, body.replace('::ffff:', ''), `${name} from ${from} with ${lines.join(' and ')}`);
        }
      }
    }
  });

  t.test('the PROXY protocol counts where realip takes it', async (t) => {
    const taken = 'set_real_ip_from 127.0.0.0/8; real_ip_header proxy_protocol;';
    for (const lines of ['', taken]) {
      await stand.use({ http: server(`${lines} location / { return 200 "$remote_addr"; }`, '$1 proxy_protocol') });
      const bytes = 'PROXY TCP4 192.0.2.7 127.0.0.1 4000 80\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
      const asked = askedAddresses(await stand.dump(), { from: '127.0.0.1', headers: [], proxied: '192.0.2.7' }, null);
      t.equal(asked[0]?.remoteAddress, (await stand.ask({ from: '127.0.0.1', bytes })).body);
    }
  });

  t.test('with trustedProxies of the policy it is the source in the deny event', async (t) => {
    const front = {
      ...{ kind: 'VirtualServer', name: 'order-front', labels: { app: 'shop' }, point: 'edge-1', bind: 'order-front' },
      ...{ ports: ['tcp/443'], mode: 'enforce', trustedProxies: ['127.0.0.1', '10.0.0.0/8'] },
    };
    const rule = { kind: 'Policy', name: 'p', rules: [{ id: 'r', from: [{ cidr: '198.51.100.1' }], to: 'all()' }] };
    const policy = compileDocuments([front, rule], { revision: 1 });
    await stand.edge.point().apply(policy);
    await stand.use({ http: server(`${HOOK} location / { return 200 open; }`) });
    const dump = await stand.dump();
    for (const lines of [
      [],
      ['X-Forwarded-For: 203.0.113.7'],
      ['X-Forwarded-For: 203.0.113.7, 10.0.0.1'],
      ['X-Real-IP: 6.6.6.6'],
    ]) {
      const asked = askedAddresses(dump, { from: '127.0.0.1', headers: lines.map(pairOf), proxied: null }, policy);
      await stand.ask({ from: '127.0.0.1', headers: lines });
      t.equal(asked[0]?.judged, (await stand.edge.denials()).at(-1)?.source, lines.join());
    }
  });
});

function pairOf(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon), line.slice(colon + 1)];
}
