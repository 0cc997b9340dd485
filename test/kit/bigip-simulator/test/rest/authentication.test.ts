import t from 'tap';
import { createManualClock } from '../../../../../runtime/test/fixtures/manual-clock.ts';
import type { SimulatedUser } from '../../src/index.ts';
import { basic } from './rest-client.ts';
import { setStage, tokenIn } from './stage.ts';

const users: SimulatedUser[] = [
  { name: 'admin', password: 'admin', role: 'admin' },
  { name: 'eve', password: 'eve', role: 'resource-admin' },
  { name: 'bob', password: 'b:o b', role: 'guest' },
];
const login = '/mgmt/shared/authn/login';
const read = '/mgmt/tm/ltm/rule';

t.test('a login gives a token of 1200 seconds, and its shape is the recorded one', async (t) => {
  const { client } = await setStage(t, { users });
  const answer = await client().call('POST', login, {
    body: { username: 'admin', password: 'admin', loginProviderName: 'tmos' },
  });
  t.equal(answer.status, 200);
  t.match(answer.body, {
    username: 'admin',
    loginProviderName: 'tmos',
    token: {
      userName: 'admin',
      timeout: 1200,
      authProviderName: 'tmos',
      kind: 'shared:authz:tokens:authtokenitemstate',
    },
  });
  t.match(tokenIn(answer), /^[A-Z2-7]{26}$/);
  const used = await client({ 'x-f5-auth-token': tokenIn(answer) }).call('GET', read);
  t.equal(used.status, 200);
});

t.test('a bad password is answered with the whole request in the answer', async (t) => {
  const { client } = await setStage(t, { users });
  const answer = await client().call('POST', login, { body: { username: 'admin', password: 'wrong' } });
  t.equal(answer.status, 401);
  t.match(answer.body, { code: 401, message: 'Authentication failed.', kind: ':resterrorresponse' });
  t.match(String(answer.body.originalRequestBody), 'wrong');
  t.type(answer.body.restOperationId, 'number');
});

t.test('who is not recognised is told so, each in its own words', async (t) => {
  const { client } = await setStage(t, { users });
  const cases = [
    {
      name: 'no credentials',
      headers: {},
      text: 'no user authentication header or token detected. Uri:http://localhost:8100',
    },
    { name: 'an unknown token', headers: { 'x-f5-auth-token': 'X' }, text: 'X-F5-Auth-Token does not exist.' },
    { name: 'a bad password', headers: basic('admin', 'no'), text: '401 F5 Authorization Required' },
    { name: 'an unknown user', headers: basic('mallory', 'x'), text: '401 F5 Authorization Required' },
    { name: 'no Base64', headers: { authorization: 'Basic !' }, text: 'no user authentication header' },
  ];
  for (const { name, headers, text } of cases) {
    const answer = await client(headers).call('GET', read);
    t.equal(answer.status, 401, name);
    t.match(answer.text, text, name);
  }
  t.equal((await client(basic('bob', 'b:o b')).call('GET', read)).status, 200, 'a password with a colon and a blank');
});

t.test('an expired token is told from one that never was', async (t) => {
  const clock = createManualClock();
  const stage = await setStage(t, { users, clock });
  const bob = await stage.login('bob', 'b:o b');
  await clock.advance(1_199_000);
  t.equal((await bob.call('GET', read)).status, 200, 'a second before');
  await clock.advance(2_000);
  const late = await bob.call('GET', read);
  t.equal(late.status, 401);
  t.equal(late.body.message, 'X-F5-Auth-Token has expired.');
});

t.test('a token lives longer when it is asked to, to 36,000 seconds at most', async (t) => {
  const clock = createManualClock();
  const { client, admin } = await setStage(t, { users, clock });
  const token = tokenIn(await client().call('POST', login, { body: { username: 'eve', password: 'eve' } }));
  const eve = client({ 'x-f5-auth-token': token });
  const path = `/mgmt/shared/authz/tokens/${token}`;
  const much = await eve.call('PATCH', path, { body: { timeout: 36_001 } });
  t.equal(much.status, 400);
  t.equal(much.body.message, 'Auth-token absolute timeout (36000 seconds) exceeded');
  await clock.advance(600_000);
  t.match((await eve.call('PATCH', path, { body: { timeout: '36000' } })).body, { timeout: 36_000 });
  await clock.advance(35_399_000);
  t.equal((await eve.call('GET', read)).status, 200, 'just before its end');
  await clock.advance(2_000);
  t.equal((await eve.call('GET', read)).status, 401, 'its end is counted from the login');
  t.equal((await admin.call('GET', path)).status, 404);
});

t.test('a user has at most 100 live tokens; the built-in admin has no limit', async (t) => {
  const { client, admin } = await setStage(t, { users });
  const anyone = client();
  for (let count = 0; count < 100; count += 1) {
    const answer = await anyone.call('POST', login, { body: { username: 'bob', password: 'b:o b' } });
    t.equal(answer.status, 200);
  }
  const over = await anyone.call('POST', login, { body: { username: 'bob', password: 'b:o b' } });
  t.equal(over.status, 400);
  t.equal(over.body.message, 'user bob has reached maximum active login tokens');
  t.equal(
    (await client(basic('bob', 'b:o b')).call('GET', read)).status,
    200,
    'by name and password bob still gets in',
  );
  for (let count = 0; count < 101; count += 1) {
    const answer = await anyone.call('POST', login, { body: { username: 'admin', password: 'admin' } });
    t.equal(answer.status, 200);
  }
  t.match((await admin.call('GET', '/mgmt/shared/authz/tokens')).body, { items: { length: 201 } });
  await client(basic('bob', 'b:o b')).call('DELETE', '/mgmt/shared/authz/tokens');
  t.match(
    (await admin.call('GET', '/mgmt/shared/authz/tokens')).body,
    { items: { length: 101 } },
    'bob gave back his own',
  );
});

t.test('a user sees and gives back its own tokens alone', async (t) => {
  const { client, admin } = await setStage(t, { users });
  const tokenOf = async (username: string, password: string): Promise<string> =>
    tokenIn(await client().call('POST', login, { body: { username, password } }));
  const [bobs, eves] = [await tokenOf('bob', 'b:o b'), await tokenOf('eve', 'eve')];
  const bob = client({ 'x-f5-auth-token': bobs });
  for (const method of ['GET', 'DELETE']) {
    const answer = await bob.call(method, `/mgmt/shared/authz/tokens/${eves}`);
    t.equal(answer.status, 400, method);
    t.equal(answer.body.message, 'Authorization failed', method);
  }
  t.equal((await admin.call('GET', `/mgmt/shared/authz/tokens/${eves}`)).status, 200, 'an administrator sees all');
  t.equal((await bob.call('DELETE', `/mgmt/shared/authz/tokens/${bobs}`)).status, 200);
  t.equal((await bob.call('GET', read)).body.message, 'X-F5-Auth-Token does not exist.');
});
