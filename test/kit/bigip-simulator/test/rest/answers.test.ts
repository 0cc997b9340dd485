import { createHash } from 'node:crypto';
import { connect } from 'node:tls';
import t from 'tap';
import { basic } from './rest-client.ts';
import { setStage } from './stage.ts';

t.test('every answer carries the headers that were recorded', async (t) => {
  const versions = [
    { version: '17.1.2', server: 'Jetty(9.4.49.v20220914)' },
    { version: '13.1.3', server: 'Jetty(9.2.22.v20170606)' },
  ] as const;
  for (const { version, server } of versions) {
    const { admin } = await setStage(t, { version });
    const { headers } = await admin.call('GET', '/mgmt/tm/ltm/rule');
    t.match(headers, {
      server,
      allow: '',
      'content-type': 'application/json; charset=UTF-8',
      'strict-transport-security': 'max-age=16070400; includeSubDomains',
      'x-frame-options': 'SAMEORIGIN',
      pragma: 'no-cache',
      'cache-control': 'no-store, no-cache, must-revalidate',
      expires: '-1',
      'x-content-type-options': 'nosniff',
      'x-xss-protection': '1; mode=block',
      'content-security-policy': /^default-src 'self'/,
    });
    t.match(headers['set-cookie'], [/^BIGIPAuthCookie=/, /^BIGIPAuthUsernameCookie=admin;/]);
  }
});

t.test('who is refused for want of a token is told what to bring', async (t) => {
  const { client } = await setStage(t);
  const { headers } = await client().call('GET', '/mgmt/tm/ltm/rule');
  t.equal(headers['www-authenticate'], 'X-Auth-Token');
  t.notOk(headers['set-cookie']);
});

t.test('a body that is no JSON object is refused, and ends the connection', async (t) => {
  const { admin } = await setStage(t);
  const deep = `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`;
  const bodies = ['', '{', 'null', '[]', '"x"', '1', '\u0000', '{"name":"x"', deep, 'name=x'];
  for (const body of bodies) {
    const answer = await admin.call('POST', '/mgmt/tm/ltm/pool', { body });
    t.strictSame(
      answer.body,
      { code: 400, message: 'Found invalid JSON body in the request.', errorStack: [], apiError: 1 },
      body.slice(0, 20),
    );
    t.equal(answer.headers.connection, 'close');
  }
});

t.test('a key that would reach a prototype is left out', async (t) => {
  const { admin } = await setStage(t);
  const body = '{"name":"p","__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}';
  t.equal((await admin.call('POST', '/mgmt/tm/ltm/monitor/http', { body })).status, 200);
  t.notOk('polluted' in {});
});

t.test('a call in a wrong method is refused', async (t) => {
  const { admin } = await setStage(t);
  await admin.call('POST', '/mgmt/tm/ltm/pool', { body: { name: 'p' } });
  const calls = [
    ['DELETE', '/mgmt/tm/ltm/pool'],
    ['PATCH', '/mgmt/tm/ltm/pool'],
    ['POST', '/mgmt/tm/ltm/pool/~Common~p'],
    ['PUT', '/mgmt/tm/cm/device'],
    ['TRACE', '/mgmt/tm/ltm/pool'],
    ['DELETE', '/mgmt/tm/ltm/rule/stats'],
  ] as const;
  for (const [method, path] of calls) {
    const answer = await admin.call(method, path, { body: {} });
    t.equal(answer.status, 405, `${method} ${path}`);
  }
});

t.test('a target that Apache would not take, and one that is not of the API, get a page', async (t) => {
  const { admin } = await setStage(t);
  const long = await admin.call('GET', `/mgmt/tm/ltm/pool?options=${'x'.repeat(8200)}`);
  t.equal(long.status, 414);
  t.match(long.headers['content-type'], 'text/html');
  for (const path of ['/', '/tmui/login.jsp', '/mgmt/tm/ltm/pool/%zz', '//']) {
    const answer = await admin.call('GET', path);
    t.equal(answer.status, 404, path);
    t.match(answer.text, /^<!DOCTYPE html>/, path);
  }
});

t.test('a body may be as large as the setting says, and a client may change the setting', async (t) => {
  const { admin } = await setStage(t);
  const settings = '/mgmt/shared/server/messaging/settings/8100';
  const records = Array.from({ length: 5_000 }, (_, index) => ({ name: `k${index}`, data: 'x'.repeat(20) }));
  const body = { name: 'g', type: 'string', records };
  t.equal((await admin.call('PATCH', settings, { body: { maxMessageBodySize: 100_000 } })).status, 200);
  const refused = await admin.call('POST', '/mgmt/tm/ltm/data-group/internal', { body });
  t.equal(refused.status, 413);
  t.equal(refused.body.kind, ':resterrorresponse');
  await admin.call('PATCH', settings, { body: { maxMessageBodySize: 1_000_000 } });
  t.equal((await admin.call('POST', '/mgmt/tm/ltm/data-group/internal', { body })).status, 200);
});

t.test(
  'the certificate is for 127.0.0.1 and localhost, signed by the authority that the simulator hands out',
  async (t) => {
    const { simulator, admin } = await setStage(t, { units: 2 });
    t.equal((await admin.call('GET', '/mgmt/tm/ltm/rule')).status, 200);
    const prints = new Set<string>();
    for (const unit of simulator.units) {
      for (const servername of ['localhost', '']) {
        const { hostname, port } = new URL(unit.url);
        const socket = connect({
          host: hostname,
          port: Number(port),
          ca: simulator.ca,
          ...(servername && { servername }),
        });
        await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
        t.ok(socket.authorized, `${unit.name} ${servername}`);
        prints.add(createHash('sha256').update(socket.getPeerCertificate().raw).digest('hex'));
        socket.destroy();
      }
    }
    t.equal(prints.size, 2, 'a certificate for each unit');
  },
);

t.test('every call is recorded with its status and the bytes of its body', async (t) => {
  const { simulator, client } = await setStage(t);
  const admin = client(basic('admin', 'admin'));
  await admin.call('GET', '/mgmt/tm/ltm/pool?$select=name');
  await admin.call('POST', '/mgmt/tm/ltm/pool', { body: '{"name":"p"}' });
  await admin.call('POST', '/mgmt/tm/ltm/pool', { body: '{"name":"p"}' });
  t.strictSame(simulator.units[0]?.calls(), [
    { method: 'GET', path: '/mgmt/tm/ltm/pool?$select=name', status: 200, bytes: 0 },
    { method: 'POST', path: '/mgmt/tm/ltm/pool', status: 200, bytes: 12 },
    { method: 'POST', path: '/mgmt/tm/ltm/pool', status: 409, bytes: 12 },
  ]);
});
