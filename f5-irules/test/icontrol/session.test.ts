import { chmodSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { loginAnswer, PASSWORD, type Reply, startStage, TOKEN } from './fixtures/stage.ts';

const LOGIN = 'POST shared/authn/login';
const object = { kind: 'tm:x', name: 'x' };

/** A box that gives T1, T2, … and takes those of `good`. */
function tokens(good: (token: string) => boolean, message = 'X-F5-Auth-Token has expired.') {
  let given = 0;
  return ({ path, headers }: { path: string; headers: Record<string, unknown> }): Reply => {
    if (path === 'shared/authn/login') {
      given += 1;
      return { json: loginAnswer(`T${given}`) };
    }
    if (path.startsWith('shared/authz/')) return { json: {} };
    if (good(String(headers['x-f5-auth-token']))) return { json: object };
    return {
      status: 401,
      json: { code: 401, message, originalRequestBody: `{"password":"${PASSWORD}"}`, kind: ':resterrorresponse' },
    };
  };
}

t.test('one login serves all calls, also those that begin at once, and the token is given back', async (t) => {
  const stage = await startStage(
    t,
    tokens(() => true),
  );
  const box = stage.client();
  await Promise.all([box.get('tm/a'), box.get('tm/b'), box.modify('tm/c', {})]);
  await box.get('tm/d');
  t.strictSame(stage.lines().filter((line) => line === LOGIN).length, 1);
  t.strictSame([...new Set(stage.calls().map(({ headers }) => headers['x-f5-auth-token']))], ['T1']);
  await box.close();
  await box.close();
  t.equal(stage.lines().at(-1), 'DELETE shared/authz/tokens/T1');
  t.equal(stage.lines().filter((line) => line.startsWith('DELETE')).length, 1, 'once');
  await t.rejects(box.get('tm/a'), { code: 'EDW_ERR_POINT_UNREACHABLE', message: /closed/ });
  await t.rejects(box.modify('tm/a', {}), { code: 'EDW_ERR_POINT_UNREACHABLE', message: /closed/ });
});

t.test('a client that never called has nothing to give back', async (t) => {
  const stage = await startStage(t, () => null);
  await stage.client().close();
  t.strictSame(stage.lines(), []);
});

t.test('the login names user, password and provider, and nothing of it is logged', async (t) => {
  const stage = await startStage(t, ({ path, body }) => {
    if (path !== 'shared/authn/login') return { json: object };
    t.strictSame(JSON.parse(body), { username: 'edgeward', password: PASSWORD, loginProviderName: 'tmos' });
    return null;
  });
  const box = stage.client();
  await box.get('tm/a');
  await box.close();
  t.match(stage.log(), 'bigip_login');
  t.notMatch(stage.log(), PASSWORD);
  t.notMatch(stage.log(), TOKEN);
});

t.test('at half of its life a token is replaced, and the old one given back', async (t) => {
  let nowMs = 0;
  const stage = await startStage(
    t,
    tokens(() => true),
  );
  const box = stage.client({ now: () => nowMs, timeoutMs: 10_000_000 });
  await box.get('tm/a');
  nowMs = 599_000;
  await box.get('tm/b');
  t.equal(stage.lines().filter((line) => line === LOGIN).length, 1, 'before half of its life');
  nowMs = 600_000;
  await box.get('tm/c');
  await until(() => stage.lines().includes('DELETE shared/authz/tokens/T1'));
  await box.get('tm/d');
  const used = stage.calls().map(({ headers }) => headers['x-f5-auth-token']);
  t.strictSame(used, ['T1', 'T1', 'T1', 'T2'], 'no call waited for it');
  t.equal(stage.lines().filter((line) => line === LOGIN).length, 2);
});

t.test('a password that is wrong at the early login costs nothing while the old token lives', async (t) => {
  let nowMs = 0;
  let refuses = false;
  const serve = tokens(() => true);
  const stage = await startStage(t, (call) =>
    refuses && call.path === 'shared/authn/login'
      ? { status: 401, json: { code: 401, message: 'Authentication failed.' } }
      : serve(call),
  );
  const box = stage.client({ now: () => nowMs, timeoutMs: 10_000_000 });
  await box.get('tm/a');
  refuses = true;
  nowMs = 700_000;
  for (let i = 0; i < 3; i += 1) await box.get('tm/b');
  await until(() => stage.log().includes('bigip_token_not_renewed'));
  t.equal(stage.lines().filter((line) => line === LOGIN).length, 2, 'it is not tried at every call');
  nowMs = 1_200_000;
  await t.rejects(box.get('tm/c'), { code: 'EDW_ERR_BIGIP_LOGIN' }, 'but the end of the token is the end');
});

t.test('a dead token leads to one login and the call is made, for reads and writes', async (t) => {
  for (const message of ['X-F5-Auth-Token has expired.', 'X-F5-Auth-Token does not exist.', 'Something new']) {
    const stage = await startStage(
      t,
      tokens((token) => token !== 'T1', message),
    );
    const box = stage.client();
    t.same(await box.get('tm/a'), object, message);
    t.same(await box.modify('tm/b', {}), object, message);
    t.equal(stage.lines().filter((line) => line === LOGIN).length, 2, message);
    await box.close();
  }
});

t.test('calls that find the token dead together share the one new login', async (t) => {
  const stage = await startStage(
    t,
    tokens((token) => token !== 'T1'),
  );
  const box = stage.client();
  await Promise.all([box.get('tm/a'), box.get('tm/b'), box.get('tm/c')]);
  t.equal(stage.lines().filter((line) => line === LOGIN).length, 2);
});

t.test('a box that takes no token it gives is no loop, and no token is left there', async (t) => {
  const stage = await startStage(
    t,
    tokens(() => false, 'no'),
  );
  const box = stage.client();
  await t.rejects(box.get('tm/a'), { code: 'EDW_ERR_BIGIP_LOGIN', message: /just given/ });
  await t.rejects(box.modify('tm/a', {}), { code: 'EDW_ERR_BIGIP_LOGIN' });
  t.equal(stage.calls().length, 4, 'each call is repeated once');
  await box.close();
  const [logins, farewells] = ['POST', 'DELETE'].map(
    (method) => stage.lines().filter((line) => line.startsWith(method)).length,
  );
  t.equal(logins, farewells);
  t.notMatch(stage.log(), PASSWORD, 'what the 401 echoes is not logged');
});

t.test('a login that is refused says what to do, and repeats nothing of the answer', async (t) => {
  const echo = `{"username":"edgeward","password":"${PASSWORD}"}`;
  const rest = (status: number, message: string): Reply => ({
    status,
    json: { code: status, message, originalRequestBody: echo, kind: ':resterrorresponse' },
  });
  for (const [name, reply, code] of [
    ['a bad password', rest(401, 'Authentication failed.'), 'EDW_ERR_BIGIP_LOGIN'],
    ['a bad password, echoed', rest(401, echo), 'EDW_ERR_BIGIP_LOGIN'],
    ['a page', { status: 401, text: `<h1>${echo}</h1>` }, 'EDW_ERR_BIGIP_LOGIN'],
    ['forbidden', rest(403, echo), 'EDW_ERR_BIGIP_LOGIN'],
    [
      'no token left',
      rest(400, 'user edgeward has reached maximum active login tokens'),
      'EDW_ERR_BIGIP_TOKENS_EXHAUSTED',
    ],
    ['something else, echoed', rest(400, echo), 'EDW_ERR_BIGIP_REFUSED'],
    ['restarting', { status: 503, text: 'Configuration Utility restarting...' }, 'EDW_ERR_POINT_UNREACHABLE'],
    ['not there yet', rest(404, 'Public URI path not registered'), 'EDW_ERR_POINT_UNREACHABLE'],
    ['no token', { json: {} }, 'EDW_ERR_BIGIP_ANSWER'],
    ['an empty answer', { text: '' }, 'EDW_ERR_BIGIP_ANSWER'],
    ['a token of the wrong type', { json: loginAnswer(7) }, 'EDW_ERR_BIGIP_ANSWER'],
    ['a token that would be a header', { json: loginAnswer('a\r\nx: y') }, 'EDW_ERR_BIGIP_ANSWER'],
    ['a token without life', { json: loginAnswer('T', 0) }, 'EDW_ERR_BIGIP_ANSWER'],
    ['a life of the wrong type', { json: loginAnswer('T', 'long') }, 'EDW_ERR_BIGIP_ANSWER'],
    ['a page with 200', { text: `<html>${echo}</html>` }, 'EDW_ERR_BIGIP_ANSWER'],
    ['a redirect', { status: 302, text: '', headers: { location: '/elsewhere' } }, 'EDW_ERR_BIGIP_ANSWER'],
  ] as [string, Reply, string][]) {
    const stage = await startStage(t, ({ path }) => (path === 'shared/authn/login' ? reply : null));
    const box = stage.client();
    const error: unknown = await box.get('tm/a').catch((thrown: unknown) => thrown);
    t.match(error, { code, mend: /./ }, name);
    t.notMatch(`${(error as Error).stack} ${stage.log()}`, PASSWORD, name);
    t.strictSame(stage.lines(), [LOGIN], `${name}: asked once`);
    await box.close();
  }
});

t.test('a token that could not be given back is logged, and closing goes on', async (t) => {
  const stage = await startStage(t, ({ method }) =>
    method === 'DELETE' ? 'cut' : method === 'GET' ? { json: object } : null,
  );
  const box = stage.client();
  await box.get('tm/a');
  await box.close();
  t.match(stage.log(), 'bigip_token_left');
  t.notMatch(stage.log(), TOKEN);
});

t.test('the password is read at each login, from a file that is closed to others', async (t) => {
  const seen: unknown[] = [];
  const serve = tokens((token) => token !== 'T1');
  const stage = await startStage(t, (call) => {
    if (call.path === 'shared/authn/login') seen.push((JSON.parse(call.body) as { password: string }).password);
    // Changed while the first token is used, which is refused, so that the box is logged in to again.
    else writeFileSync(stage.passwordFile, 'another "one" \n');
    return serve(call);
  });
  const box = stage.client();
  chmodSync(stage.passwordFile, 0o644);
  await t.rejects(box.get('tm/a'), { code: 'EDW_ERR_SECRET_FILE', mend: /chmod 600/ });
  t.strictSame(stage.lines(), [], 'nothing was sent');
  chmodSync(stage.passwordFile, 0o600);
  await box.get('tm/a');
  t.strictSame(seen, [PASSWORD, 'another "one" '], 'quotes and blanks are its own');
});

async function until(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 6_000 && !isTrue(); i += 1) await new Promise((resolve) => setTimeout(resolve, 5));
  if (!isTrue()) throw new Error('it did not come');
}
