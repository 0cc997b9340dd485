/** What a user writes into a protected server of an NGINX without njs: nothing of it lets in who is denied. */
import { rawRequest, requireNginx } from '@edgeward/test/kit';
import t from 'tap';
import { smallPolicy } from '../fixtures/policies.ts';
import { rows, startBehind } from '../fixtures/user-directives.ts';
import { eventually } from '../server/real-nginx.ts';
import { startedStand } from './reload-stand.ts';

const ALLOWED = '203.0.113.1';
const DENIED = '198.51.100.7';

await requireNginx(t, 'debian-12');

t.test('nothing in a server or its locations opens what is denied: mode reload', async (t) => {
  const behind = await startBehind(t);
  const stand = await startedStand(t, { http: { 'order-front': behind.directives } });
  const ask = (from: string, path: string, more = ''): ReturnType<typeof rawRequest> => {
    const bytes = `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Test-Source: ${from}\r\n${more}Connection: close\r\n\r\n`;
    return rawRequest({ port: stand.ports['order-front'] ?? 0, bytes });
  };
  await stand.first.apply(smallPolicy({ revision: 1, allow: [ALLOWED] }));
  for (const { path } of [...rows, { path: '/ws' }, { path: '/orders.Orders/Get' }]) {
    const { status, headers } = await ask(DENIED, path);
    t.match([status, headers['edgeward-ref']], [403, /^[0-9a-f]{16}$/], `${path} is denied`);
  }
  t.equal(behind.reached(), 0, 'and nothing reached what is behind');
  t.ok(await eventually(async () => (await stand.denials()).length === rows.length + 2), 'one event each');
  for (const { path, seen } of rows) {
    const { status, body } = await ask(ALLOWED, path);
    t.match([status, body], seen, `${path} is tried`);
  }
});
