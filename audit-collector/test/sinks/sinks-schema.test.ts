import t from 'tap';
import { sinksSchema, sinksWithPaths } from '../../src/sinks/sinks-schema.ts';

const tls = { caFile: 'ca.pem', certFile: 'c.pem', keyFile: 'k.pem' };

t.test('paths are relative to the file, and the push is found from whatever names the Loki', async (t) => {
  const read = (loki: object) => sinksWithPaths(sinksSchema.parse({ loki }), '/etc/edgeward').loki;
  const urls = ['https://l:3100', 'https://l:3100/', 'https://l:3100/loki/api/v1/push'];
  for (const url of urls) t.equal(read({ url })?.url, 'https://l:3100/loki/api/v1/push', url);
  t.equal(read({ url: 'https://l/logs/' })?.url, 'https://l/logs/loki/api/v1/push');
  t.match(read({ url: 'http://127.0.0.1:3100', user: 'u', passwordFile: 'p' }), { passwordFile: '/etc/edgeward/p' });
  t.match(sinksWithPaths(sinksSchema.parse({ collector: { url: 'https://c:9445/', ...tls } }), '/etc').collector, {
    url: 'https://c:9445',
    caFile: '/etc/ca.pem',
  });
  t.strictSame(sinksWithPaths(sinksSchema.parse({}), '/'), { loki: null, collector: null });
});

t.test('what would leak, or lead nowhere, is refused', async (t) => {
  const loki = (more: object): object => ({ loki: { url: 'https://l:3100', ...more } });
  const cases: Record<string, object> = {
    'in clear beyond loopback': loki({ url: 'http://loki.example:3100' }),
    'a password in the address': loki({ url: 'https://u:p@l:3100' }),
    'a query': loki({ url: 'https://l:3100/?a=b' }),
    'another protocol': loki({ url: 'ftp://l' }),
    'a user without a password': loki({ user: 'u' }),
    'a user that is a password too': loki({ user: 'u:p', passwordFile: 'p' }),
    'a password without a user': loki({ passwordFile: 'p' }),
    'two ways to say who it is': loki({ user: 'u', passwordFile: 'p', tokenFile: 't' }),
    'a certificate without a key': loki({ certFile: 'c' }),
    'a tenant with a line break': loki({ tenant: 'a\nb' }),
    'a label of ours': loki({ labels: { point: 'x' } }),
    'a label that Loki does not take': loki({ labels: { 'a-b': 'x' } }),
    'too many labels': loki({ labels: Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`l${i}`, 'x'])) }),
    'an unknown key': loki({ colour: 'red' }),
    'a collector in clear': { collector: { url: 'http://c:9445', ...tls } },
    'a collector below a path': { collector: { url: 'https://c:9445/a', ...tls } },
    'a collector without an authority': { collector: { url: 'https://c:9445', certFile: 'c', keyFile: 'k' } },
  };
  for (const [name, value] of Object.entries(cases)) t.equal(sinksSchema.safeParse(value).success, false, name);
  t.ok(
    sinksSchema.safeParse(loki({ url: 'http://loki.example:3100', clearText: true })).success,
    'unless it is wanted',
  );
});
