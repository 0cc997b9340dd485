/** Denials of requests that are hard to write down: what is recorded must be what was judged. */
import { rawRequest, requireNginx, startEdge } from '@edgeward/test/kit';
import t from 'tap';
import { startIn } from './running-service.ts';
import { crm, policy, site } from './site.ts';
import { eventually, until } from './waiting.ts';

await requireNginx(t);

const headers = 'HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n';

const requests: { name: string; bytes: Buffer; path: string; now: object | null }[] = [
  {
    name: 'bytes that are no UTF-8',
    bytes: Buffer.concat([Buffer.from('GET /ok/'), Buffer.from([0xff]), Buffer.from(` ${headers}`)]),
    path: '/ok/%ff',
    now: { verdict: 'deny', reason: 'bad-request' },
  },
  {
    name: 'a target with another host',
    bytes: Buffer.from(`GET http://other.example/ok/1?secret=1 ${headers}`),
    path: 'http://other.example/ok/1',
    now: { verdict: 'deny', reason: 'bad-request' },
  },
  {
    name: 'a path whose end was cut off',
    bytes: Buffer.from(`GET /ok/${'a'.repeat(1020)}%2f ${headers}`),
    path: `/ok/${'a'.repeat(1020)}`,
    now: null,
  },
];

t.test('a request that was refused is never said to be allowed now', async (t) => {
  const edge = await startEdge(t);
  const files = { ...site, 'shop.yaml': `${policy}    http: [{ path: /ok/* }]\n` };
  const it = await startIn(t, { edges: { 'edge-1': edge }, files });
  await until('the policy is in force', async () => (await it.status()).points[0]?.state === 'current');
  for (const { name, bytes, path, now } of requests) {
    const answer = await rawRequest({ port: edge.port, localAddress: crm, bytes });
    t.equal(answer.status, 403, name);
    const why = await eventually('the denial is stored', async () => {
      const { status, json } = await it.get(`/v1/why/${answer.headers['edgeward-ref']}`);
      return status === 200 ? json : null;
    });
    t.match(why, { event: { path, reason: 'bad-request' }, now }, name);
  }
});
