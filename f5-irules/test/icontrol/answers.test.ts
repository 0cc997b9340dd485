/** What a box, or whatever answers in its place, may say; and what becomes of it. */
import { EdgewardError } from '@edgeward/runtime';
import t from 'tap';
import { asyncContext, busy, notFound, PASSWORD, type Reply, restarting, startStage } from './fixtures/stage.ts';

const box = (status: number, message: string, apiError = 3): Reply => ({
  status,
  json: { code: status, message, errorStack: [], apiError },
});
const rest = (status: number, message: string): Reply => ({
  status,
  json: { code: status, message, referer: '127.0.0.1', restOperationId: 7, kind: ':resterrorresponse' },
});

/** A stage that logs in and says `reply` to everything else. */
function always(reply: Reply) {
  return ({ path }: { path: string }): Reply | null => (path.startsWith('shared/auth') ? null : reply);
}

t.test('every refusal has its code, a mend, and the text of the box', async (t) => {
  for (const [name, reply, code, text] of [
    [
      'exists',
      box(409, '01020066:3: The requested value list (/Edgeward/x) already exists in partition Edgeward.'),
      'EDW_ERR_BIGIP_EXISTS',
      'already exists in partition',
    ],
    ['gone', notFoundReply('/Edgeward/x'), 'EDW_ERR_BIGIP_NOT_FOUND', '01020036:3:'],
    [
      'in use',
      box(400, '01070265:3: The rule (/x) cannot be deleted because it is in use by a virtual server (/y).'),
      'EDW_ERR_BIGIP_IN_USE',
      'in use by',
    ],
    [
      'too large a value',
      box(400, '01070712:3: Max string size exceeded during update'),
      'EDW_ERR_BIGIP_REFUSED',
      '01070712:3:',
    ],
    [
      'no iRule',
      box(400, '01070151:3: Rule [/P/r] error: /P/r:1: error: [undefined procedure: x][x]'),
      'EDW_ERR_BIGIP_REFUSED',
      '01070151',
    ],
    ['no JSON', box(400, 'Found invalid JSON body in the request.', 1), 'EDW_ERR_BIGIP_REFUSED', 'invalid JSON'],
    ['another conflict', box(409, '01070734:3: Configuration error'), 'EDW_ERR_BIGIP_REFUSED', '01070734'],
    ['restjavad refuses', rest(400, 'No such worker'), 'EDW_ERR_BIGIP_REFUSED', 'No such worker'],
    [
      'no right, by mcpd',
      box(403, '01070822:3: Access Denied: User (x) may not change'),
      'EDW_ERR_BIGIP_RIGHTS',
      'Access Denied',
    ],
    ['no right, by restjavad', rest(401, `Authorization failed: user=x ${PASSWORD}`), 'EDW_ERR_BIGIP_RIGHTS', '401'],
    ['no text at all', { status: 400, json: {} }, 'EDW_ERR_BIGIP_REFUSED', '400'],
    ['text of the wrong type', { status: 400, json: { message: { a: 1 }, code: 'x' } }, 'EDW_ERR_BIGIP_REFUSED', '400'],
    ['a page', { status: 400, text: '<html>' }, 'EDW_ERR_BIGIP_ANSWER', '400'],
    ['no such path yet', rest(404, 'Public URI path not registered'), 'EDW_ERR_POINT_UNREACHABLE', 'not registered'],
    ['no such path yet, as a page', { status: 404, text: '<h1>Not Found</h1>' }, 'EDW_ERR_POINT_UNREACHABLE', '404'],
    ['restarting', restarting, 'EDW_ERR_POINT_UNREACHABLE', '503'],
    ['a time-out of Jetty', asyncContext, 'EDW_ERR_POINT_UNREACHABLE', '500'],
    ['out of memory', rest(500, 'java.lang.OutOfMemoryError'), 'EDW_ERR_POINT_UNREACHABLE', 'OutOfMemory'],
    ['busy for good', busy, 'EDW_ERR_BIGIP_BUSY', 'asynchronous task'],
    ['a null exception', box(422, 'request failed with null exception', 1), 'EDW_ERR_BIGIP_REFUSED', 'null exception'],
    [
      'a redirect',
      { status: 302, text: '', headers: { location: 'https://127.0.0.1:1/' } },
      'EDW_ERR_BIGIP_ANSWER',
      '302',
    ],
    ['a page with 200', { text: '<html>Welcome</html>' }, 'EDW_ERR_BIGIP_ANSWER', 'JSON'],
    ['a list with 200', { json: [] }, 'EDW_ERR_BIGIP_ANSWER', 'JSON'],
    ['a word with 200', { json: 'yes' }, 'EDW_ERR_BIGIP_ANSWER', 'JSON'],
    ['half a document', { text: '{"kind":"tm:x","items":[' }, 'EDW_ERR_BIGIP_ANSWER', 'JSON'],
  ] as [string, Reply, string, string][]) {
    const stage = await startStage(t, always(reply));
    const client = stage.client();
    const error = await client.modify('tm/ltm/x/~Edgeward~x', { a: 1 }).catch((thrown: unknown) => thrown);
    t.match(error, { code, mend: /./, message: text }, name);
    t.match(error, { message: /tm\/ltm\/x/ }, name);
    t.notMatch(`${(error as Error).stack} ${stage.log()}`, PASSWORD, name);
    await client.close();
  }
});

t.test('no object is null for a read and false for a removal; a box that knows no paths yet is neither', async (t) => {
  const stage = await startStage(t, always(notFoundReply('/Edgeward/x')));
  const client = stage.client();
  t.equal(await client.get('tm/ltm/x/~Edgeward~x'), null);
  t.equal(await client.remove('tm/ltm/x/~Edgeward~x'), false);
  t.strictSame(await client.list('tm/ltm/virtual/~Common~v/profiles'), []);
  const frameworks = await startStage(t, always(box(404, 'Object not found - /Edgeward/x', 1)));
  t.equal(await frameworks.client().get('tm/x'), null);
  for (const reply of [
    rest(404, 'Public URI path not registered'),
    rest(404, 'gone'),
    { status: 404, text: '<html>' },
  ]) {
    const starting = (await startStage(t, always(reply))).client();
    await t.rejects(starting.get('tm/x'), { code: 'EDW_ERR_POINT_UNREACHABLE' });
    await t.rejects(starting.list('tm/x'), { code: 'EDW_ERR_POINT_UNREACHABLE' });
    await t.rejects(starting.remove('tm/x'), { code: 'EDW_ERR_POINT_UNREACHABLE' });
  }
});

t.test('the text of a box can not move a terminal, and is short', async (t) => {
  const text = `a\u001b[31mb\nc\r\u0007\u202ed\u0000e\u2028f ${'x'.repeat(100_000)}`;
  const client = (await startStage(t, always(box(400, text)))).client();
  const error = await client.get('tm/x').catch((thrown: unknown) => thrown);
  const { message } = error as Error;
  t.match(message, 'a [31mb c d e f xxx');
  t.notMatch(message, /[\p{Cc}\p{Cf}\u2028\u2029]/u);
  t.ok(message.length < 600);
});

t.test('an answer is bounded', async (t) => {
  const large = { kind: 'tm:x', items: [{ name: 'x'.repeat(5000) }] };
  const client = (await startStage(t, always({ json: large }))).client({ maxAnswerBytes: 4000 });
  const calls: Promise<unknown>[] = [client.get('tm/x'), client.list('tm/x'), client.modify('tm/x', {})];
  for (const call of calls) {
    await t.rejects(call, { code: 'EDW_ERR_BIGIP_ANSWER' });
  }
  const exact = (await startStage(t, always({ json: large }))).client({ maxAnswerBytes: 6000 });
  t.same(await exact.get('tm/x'), large);
});

t.test('a busy box is asked again, and the call is made once', async (t) => {
  const stage = await startStage(t, (call, index) =>
    call.path.startsWith('shared/auth') ? null : index < 4 ? busy : { json: { kind: 'tm:x' } },
  );
  const client = stage.client();
  t.same(await client.create('tm/x', { name: 'x' }), { kind: 'tm:x' });
  t.strictSame(
    stage.calls().map(({ method }) => method),
    ['POST', 'POST', 'POST', 'POST'],
  );
  t.match(client.sent(), { writes: 4, bytes: 4 * '{"name":"x"}'.length });
});

t.test('a box that stays busy is given up within the time of a call', async (t) => {
  const stage = await startStage(t, always(busy));
  await t.rejects(stage.client().get('tm/x'), { code: 'EDW_ERR_BIGIP_BUSY' });
  t.equal(stage.calls().length, 9, 'eight repeats');
  const slow = await startStage(t, always(busy));
  await t.rejects(slow.client({ retryBaseMs: 1_000_000, timeoutMs: 200 }).get('tm/x'), { code: 'EDW_ERR_BIGIP_BUSY' });
});

t.test('a redirect is not followed, and the token goes nowhere else', async (t) => {
  const elsewhere = await startStage(t, () => ({ json: {} }));
  const stage = await startStage(
    t,
    always({ status: 307, text: '', headers: { location: `${elsewhere.url}/mgmt/tm/x` } }),
  );
  const client = stage.client();
  for (const call of [() => client.get('tm/x'), () => client.create('tm/x', {}), () => client.run('tm/x', {})]) {
    await t.rejects(call(), { code: 'EDW_ERR_BIGIP_ANSWER', message: /redirects \(307\)/ });
  }
  t.strictSame(elsewhere.lines(), []);
});

t.test('a list follows its pages on the same box', async (t) => {
  const stage = await startStage(t, ({ path }) => {
    if (path.startsWith('shared/auth')) return null;
    const skip = Number(/skip=(\d+)/.exec(path)?.[1] ?? 0);
    const nextLink = `https://localhost/mgmt/tm/ltm/virtual?$top=2&$skip=${skip + 2}&ver=17.1.2`;
    return {
      json: {
        kind: 'tm:ltm:virtual:virtualcollectionstate',
        items: [{ n: skip }, { n: skip + 1 }],
        ...(skip < 4 && { nextLink }),
      },
    };
  });
  const client = stage.client();
  t.same(
    await client.list('tm/ltm/virtual', { $top: '2' }),
    [0, 1, 2, 3, 4, 5].map((n) => ({ n })),
  );
  t.strictSame(
    stage.calls().map(({ path }) => path),
    ['tm/ltm/virtual?$top=2', 'tm/ltm/virtual?$top=2&$skip=2&ver=17.1.2', 'tm/ltm/virtual?$top=2&$skip=4&ver=17.1.2'],
  );
});

t.test('an empty collection is empty; what is no collection is not', async (t) => {
  const empty = (await startStage(t, always({ json: { kind: 'tm:ltm:rule:rulecollectionstate' } }))).client();
  t.strictSame(await empty.list('tm/ltm/rule'), []);
  for (const json of [
    {},
    { items: 'x' },
    { items: {} },
    { items: [1] },
    { items: [null] },
    { items: [[]] },
    { kind: 'tm:ltm:rule:rulestate' },
    { kind: 7 },
  ]) {
    const client = (await startStage(t, always({ json }))).client();
    await t.rejects(
      client.list('tm/ltm/rule'),
      { code: 'EDW_ERR_BIGIP_ANSWER', message: /collection/ },
      JSON.stringify(json),
    );
  }
});

t.test('a next page somewhere else is not asked for', async (t) => {
  const elsewhere = await startStage(t, () => ({ json: { items: [] } }));
  for (const nextLink of [
    `${elsewhere.url}/mgmt/tm/x?$skip=1`,
    'https://attacker.example/mgmt/tm/x?$skip=1',
    'https://localhost/mgmt/tm/other?$skip=1',
    'https://localhost/mgmt/tm/x/../../shared/authz/tokens',
    '//attacker.example/mgmt/tm/x',
    'file:///etc/passwd',
    'tm/x',
    '',
    7,
    null,
    {},
  ]) {
    const stage = await startStage(t, always({ json: { items: [], nextLink } }));
    await t.rejects(
      stage.client().list('tm/x'),
      { code: 'EDW_ERR_BIGIP_ANSWER', message: /somewhere else/ },
      String(nextLink),
    );
    t.equal(stage.calls().length, 1);
  }
  t.strictSame(elsewhere.lines(), []);
});

t.test('pages without end are given up', async (t) => {
  const circle = await startStage(t, always({ json: { items: [], nextLink: 'https://localhost/mgmt/tm/x?$skip=1' } }));
  await t.rejects(circle.client().list('tm/x'), { code: 'EDW_ERR_BIGIP_ANSWER', message: /no end/ });
  t.equal(circle.calls().length, 2);
  let page = 0;
  const endless = await startStage(t, ({ path }) => {
    if (path.startsWith('shared/auth')) return null;
    page += 1;
    return { json: { items: [{ name: 'x'.repeat(1000) }], nextLink: `https://localhost/mgmt/tm/x?$skip=${page}` } };
  });
  await t.rejects(endless.client({ maxAnswerBytes: 50_000 }).list('tm/x'), {
    code: 'EDW_ERR_BIGIP_ANSWER',
    message: /50000 bytes/,
  });
  t.ok(page < 60);
});

t.test('the version is that of any answer, or asked for', async (t) => {
  const answered = await startStage(
    t,
    always({ json: { selfLink: 'https://localhost/mgmt/tm/x?$select=a&ver=17.1.2.1' } }),
  );
  const client = answered.client();
  await client.get('tm/x');
  t.equal(await client.version(), '17.1.2.1');
  t.equal(answered.calls().length, 1);
  const asked = await startStage(t, always({ json: { selfLink: 'https://localhost/mgmt/tm/sys/version?ver=13.1.3' } }));
  t.equal(await asked.client().version(), '13.1.3');
  t.strictSame(
    asked.calls().map(({ path }) => path),
    ['tm/sys/version'],
  );
  for (const selfLink of [undefined, 7, 'https://localhost/mgmt/tm/sys/version?ver=x', 'https://localhost/?ver=1;rm']) {
    const silent = (await startStage(t, always({ json: { selfLink } }))).client();
    await t.rejects(silent.version(), { code: 'EDW_ERR_BIGIP_ANSWER' });
  }
});

t.test('a call that is not below its path is not made', async (t) => {
  const stage = await startStage(t, () => null);
  const client = stage.client();
  const calls: (() => Promise<unknown>)[] = [
    () => client.get('tm/../shared/x'),
    () => client.list('/tm/x'),
    () => client.create('tm/x?y', {}),
    () => client.modify('tm/x#y', {}),
    () => client.remove('tm//x'),
    () => client.run('http://x', {}),
    () => client.validate({ method: 'PATCH', path: 'tm/a b', body: {} }),
  ];
  for (const call of calls) {
    await t.rejects(call(), { code: 'EDW_ERR_BIGIP_NAME' });
  }
  t.strictSame(stage.lines(), []);
});

t.test('whatever answers, a call ends with a result or a coded error', async (t) => {
  const seed = Number(process.env.EDGEWARD_SEED ?? Date.now() % 1_000_000);
  t.comment(`EDGEWARD_SEED=${seed}`);
  const random = randomFrom(seed);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const value = (depth: number): unknown => {
    if (depth === 0 || random() < 0.3)
      return pick([null, true, 7, -1, 1e300, '', 'x', '\u0000', '\ud800', 'https://localhost/mgmt/tm/x']);
    if (random() < 0.3) return Array.from({ length: Math.floor(random() * 4) }, () => value(depth - 1));
    const keys = [
      'items',
      'kind',
      'name',
      'records',
      'message',
      'code',
      'apiError',
      'nextLink',
      'selfLink',
      'token',
      'transId',
      'state',
      '__proto__',
    ];
    return Object.fromEntries(Array.from({ length: 4 }, () => [pick(keys), value(depth - 1)]));
  };
  const stage = await startStage(t, ({ path }) => {
    if (path.startsWith('shared/auth') && random() < 0.7) return null;
    const status = pick([200, 200, 200, 204, 302, 400, 401, 403, 404, 409, 422, 500, 503]);
    if (random() < 0.05) return 'cut';
    return random() < 0.8 ? { status, json: value(3) } : { status, text: pick(['', '<html>', '{', '[[[', '"']) };
  });
  const client = stage.client({ lookPauseMs: 0 });
  const calls: (() => Promise<unknown>)[] = [
    () => client.get('tm/x'),
    () => client.list('tm/x'),
    () => client.create('tm/x', { name: 'x', records: [{ name: 'a' }] }),
    () => client.modify('tm/x', { rules: ['a'], records: [] }),
    () => client.remove('tm/x'),
    () => client.run('tm/x', {}),
    () => client.upload('x', 1, [Buffer.from('x')]),
    () => client.validate({ method: 'PATCH', path: 'tm/x', body: {} }),
    () => client.version(),
  ];
  const strange: unknown[] = [];
  for (let i = 0; i < 400; i += 1) {
    await pick(calls)().catch((thrown: unknown) => {
      if (!(thrown instanceof EdgewardError) || /[\p{Cc}]/u.test(thrown.message)) strange.push(thrown);
    });
  }
  t.strictSame(strange, []);
  t.ok(stage.lines().length < 400 * 20, 'and no call becomes many');
});

/** mulberry32 */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function notFoundReply(name: string): Reply {
  return { status: 404, json: notFound(name) };
}
