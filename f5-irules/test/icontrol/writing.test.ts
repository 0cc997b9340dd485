/** The order of writes, and the end of a client. */
import t, { type Test } from 'tap';
import { type Reply, startStage } from './fixtures/stage.ts';

const object = { kind: 'tm:x', name: 'x' };

/** A stage whose writes wait until they are let through. */
async function startHeld(test: Test) {
  const waiting: (() => void)[] = [];
  let inFlight = 0;
  let most = 0;
  const stage = await startStage(test, async ({ method, path }): Promise<Reply | null> => {
    if (path.startsWith('shared/auth')) return null;
    if (method === 'GET') return { json: object };
    inFlight += 1;
    most = Math.max(most, inFlight);
    await new Promise<void>((resolve) => waiting.push(resolve));
    inFlight -= 1;
    return { json: object };
  });
  const letThrough = async (): Promise<void> => {
    await until(() => waiting.length > 0);
    waiting.shift()?.();
  };
  return { stage, letThrough, most: () => most, held: () => waiting.length };
}

t.test('one write is in flight, the others wait in their order, and reads go beside it', async (t) => {
  const { stage, letThrough, most, held } = await startHeld(t);
  const box = stage.client();
  const writes = [
    box.create('tm/a', { name: 'a' }),
    box.modify('tm/b', {}),
    box.remove('tm/c'),
    box.run('tm/d', {}),
    box.upload('e', 1, [Buffer.from('e')]),
  ];
  await until(() => held() >= 1);
  t.same(await box.get('tm/r'), object, 'a read does not wait');
  for (const _ of writes) await letThrough();
  await Promise.all(writes);
  t.equal(most(), 1);
  const order = stage.calls().filter(({ method }) => method !== 'GET');
  t.strictSame(
    order.map(({ path }) => path),
    ['tm/a', 'tm/b', 'tm/c', 'tm/d', 'shared/file-transfer/uploads/e'],
  );
});

t.test('a write that fails holds up none, and is read back before the next one', async (t) => {
  const stage = await startStage(t, ({ method, path }) => {
    if (path.startsWith('shared/auth')) return null;
    if (method === 'PATCH' && path === 'tm/a') return 'cut';
    return { json: { ...object, v: path } };
  });
  const box = stage.client();
  const first = box.modify('tm/a', { v: 'other' });
  const second = box.modify('tm/b', {});
  await t.rejects(first, { code: 'EDW_ERR_POINT_UNREACHABLE', message: /read back, it is not made/ });
  await second;
  const order = stage.calls().map(({ method, path }) => `${method} ${path}`);
  t.strictSame(order, ['PATCH tm/a', ...Array(4).fill('GET tm/a'), 'PATCH tm/b']);
});

t.test('closing waits for the write under way, and begins none of those that wait', async (t) => {
  const { stage, letThrough } = await startHeld(t);
  const box = stage.client();
  const first = box.modify('tm/a', {});
  const second = box.modify('tm/b', {}).catch((thrown: unknown) => thrown);
  await until(() => stage.calls().length >= 1);
  const closed = box.close();
  await letThrough();
  t.same(await first, object);
  t.match(await second, { code: 'EDW_ERR_POINT_UNREACHABLE', message: /closed/ });
  await closed;
  t.equal(stage.lines().at(-1), 'DELETE shared/authz/tokens/TOKENOFTHETEST');
});

t.test('closing does not wait for ever: what hangs is cut, and the token is given back', async (t) => {
  const stage = await startStage(t, ({ path }) => (path.startsWith('shared/auth') ? null : 'hang'));
  const box = stage.client({ timeoutMs: 300 });
  const hanging = box.get('tm/a').catch((thrown: unknown) => thrown);
  await until(() => stage.calls().length >= 1);
  await box.close();
  t.match(await hanging, { code: 'EDW_ERR_POINT_UNREACHABLE' });
  t.match(stage.lines(), /DELETE shared\/authz\/tokens/);
});

t.test('a command without clear answer is an error: nothing tells whether it ran', async (t) => {
  const stage = await startStage(t, ({ path }) => (path.startsWith('shared/auth') ? null : 'cut'));
  const box = stage.client();
  await t.rejects(box.run('tm/sys/config', { command: 'save' }), { code: 'EDW_ERR_POINT_UNREACHABLE' });
  t.equal(stage.calls().length, 1);
});

t.test('a transaction that the box can not name, or does not end, is an error', async (t) => {
  for (const [name, opened, validated] of [
    ['no id', {}, {}],
    ['a path for an id', { transId: '../../shared' }, {}],
    ['no state', { transId: 7 }, {}],
    ['another state', { transId: 7 }, { state: 'STARTED' }],
    ['no end', { transId: '7' }, { state: 'VALIDATING' }],
  ] as const) {
    const stage = await startStage(t, ({ method, path }) => {
      if (path.startsWith('shared/auth')) return null;
      return { json: method === 'POST' ? opened : validated };
    });
    const change = { method: 'PATCH', path: 'tm/x', body: {} } as const;
    await t.rejects(stage.client().validate(change), { code: 'EDW_ERR_BIGIP_ANSWER' }, name);
    t.ok(
      stage.calls().every(({ path }) => /^tm\/(x|transaction(\/7)?)$/.test(path)),
      name,
    );
  }
});

t.test('a transaction that fails, at once or later, says what the box says', async (t) => {
  const failed = { state: 'FAILED', failureReason: '01070712:3: too long\u0007' };
  for (const first of [failed, { state: 'VALIDATING' }]) {
    const stage = await startStage(t, ({ method, path, headers }) => {
      if (path.startsWith('shared/auth')) return null;
      t.equal(headers['x-f5-rest-coordination-id'], path === 'tm/x' ? '7' : undefined, `${method} ${path}`);
      if (method === 'POST') return { json: { transId: 7 } };
      return { json: method === 'PATCH' ? first : failed };
    });
    const change = { method: 'PATCH', path: 'tm/x', body: {} } as const;
    await t.rejects(stage.client().validate(change), {
      code: 'EDW_ERR_BIGIP_REFUSED',
      message: /01070712:3: too long$/,
    });
    t.equal(stage.calls().at(-1)?.method, 'DELETE');
  }
});

async function until(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 6_000 && !isTrue(); i += 1) await new Promise((resolve) => setTimeout(resolve, 5));
  if (!isTrue()) throw new Error('it did not come');
}
