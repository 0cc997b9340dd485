/** The main job on a simulated BIG-IP: a directory of policy, the sync service, rules and data groups, HSL, the ledger. */
import { objectPath } from '@edgeward/f5-irules';
import { requireTclsh, virtualOf } from '@edgeward/test/kit';
import t from 'tap';
import { placeAt, pointOf, pointWhen, startEnforcing } from './bigip-service.ts';
import { ask, openBrowser, openLine, startBox } from './bigip-site.ts';
import { startAt, sumOf } from './running-service.ts';
import { crm, dev, stranger, workload } from './site.ts';
import { eventually, until } from './waiting.ts';

await requireTclsh(t);

t.test('a policy that is pushed and attached to nothing is said to protect nothing', async (t) => {
  const box = await startBox(t);
  const it = await startAt(t, await placeAt(t, box));
  const point = await pointWhen(it, 'the box was looked at', ({ unprotected }) => unprotected.length > 0);
  t.match(point, { kind: 'bigip', state: 'current', appliedRevision: 1, lastError: null, logError: null });
  t.strictSame(point.unprotected, ['ledger', 'orders']);
  t.match(point.hazards, [
    { object: virtualOf('ledger'), code: 'not-attached', mend: /edgeward bigip attach/ },
    { object: virtualOf('orders'), code: 'not-attached' },
  ]);
  t.equal((await it.status()).headline, 'ENFORCING 0 objects, NOT PROTECTED: ledger, orders');
  t.equal((await ask(box.ports.orders ?? 0, stranger)).outcome, 200, 'and everybody passes');

  t.test('attached, it is enforced, and that is said too', async (t) => {
    await box.rules('attach', 'orders', 'ledger');
    t.equal((await ask(box.ports.orders ?? 0, stranger)).outcome, 'reset', 'at once');
    await until('the status knows', async () => (await it.status()).headline === 'ENFORCING 2 objects');
    t.strictSame((await pointOf(it)).hazards, []);
  });

  t.test('detached by hand, the headline says so', async (t) => {
    await box.admin().modify(objectPath('tm/ltm/virtual', virtualOf('ledger')), { rules: [] });
    const line = openLine(t, box.ports.ledger ?? 0, stranger);
    t.equal(await line.say('hello'), 'hello', 'everybody passes');
    const { headline, points } = await eventually('the status knows', async () => {
      const status = await it.status();
      return status.headline.includes('NOT PROTECTED') ? status : null;
    });
    t.equal(headline, 'ENFORCING 1 object, NOT PROTECTED: ledger');
    t.match(points[0], { state: 'current', unprotected: ['ledger'], hazards: [{ code: 'not-attached' }] });
    await box.rules('attach', 'ledger');
    await until('it is protected again', async () => (await it.status()).headline === 'ENFORCING 2 objects');
  });
});

t.test('a directory becomes the verdicts of a BIG-IP, and each denial is in the ledger', async (t) => {
  const box = await startBox(t);
  const it = await startEnforcing(t, box);
  const [orders, ledger] = [box.ports.orders ?? 0, box.ports.ledger ?? 0];

  t.test('who is allowed passes; a request is answered 403, a connection reset', async (t) => {
    t.strictSame(await ask(orders, crm), { outcome: 200, ref: null });
    t.match(await ask(orders, crm, '/v1/admin'), { outcome: 403, ref: /^[0-9a-f]{16}$/ });
    t.equal((await ask(orders, dev)).outcome, 'reset');
    t.equal((await ask(orders, stranger)).outcome, 'reset');
    t.equal(await openLine(t, ledger, crm).say('one'), 'one');
    t.equal(await openLine(t, ledger, dev).say('two'), null);
  });

  t.test('a reset is in the ledger with both ends, its reason, and the rule that came nearest', async (t) => {
    const { denials } = await eventually('the denials are stored', async () => {
      const page = await it.denials();
      return page.denials.length === 4 ? page : null;
    });
    t.match(
      denials.find(({ source, object }) => source === dev && object === 'orders'),
      {
        point: 'bigip-1',
        objectLabels: { app: 'orders' },
        sourceWorkloads: ['crm-2'],
        sourceLabels: { app: 'crm', env: 'dev' },
        labelsRevision: 1,
        port: `tcp/${orders}`,
        method: null,
        path: null,
        verdict: 'deny',
        reason: 'unknown-source',
        rule: null,
        revision: 1,
        nearestRule: 'crm-orders',
        missed: "source: needs env == 'prod', has 'dev'",
      },
    );
    t.match(
      denials.find(({ object }) => object === 'ledger'),
      { source: dev, nearestRule: 'crm-ledger' },
    );
  });

  t.test('the reference of a 403 leads to the denial and to what was missed', async (t) => {
    const { ref } = await ask(orders, crm, '/v1/admin?secret=1');
    const why = await eventually('the denial is stored', async () => {
      const answer = await it.get(`/v1/why/${ref}`);
      return answer.status === 200 ? answer.json : null;
    });
    t.match(why, {
      event: {
        ref,
        source: crm,
        method: 'GET',
        path: '/v1/admin',
        host: 'shop.example',
        reason: 'request-not-allowed',
      },
      nearestRule: 'crm-orders',
      missed: /^path: /,
      judgedAt: 1,
      now: { verdict: 'deny', reason: 'request-not-allowed', revision: 1 },
    });
  });

  t.test('one label in a file changes the next verdict, of open connections too, and resets none', async (t) => {
    const browser = openBrowser(t, orders, crm);
    t.equal((await browser.get('/v1/orders/7')).outcome, 200);
    const line = openLine(t, ledger, crm);
    t.equal(await line.say('before'), 'before');
    const untouched = openBrowser(t, orders, dev);
    const before = box.writes().length;

    await it.write('crm-2.yaml', workload('crm-2', dev, 'prod'));
    await until('crm-2 is let in', async () => (await untouched.get('/v1/orders/7')).outcome === 200);
    await pointWhen(it, 'it is known to be in force', ({ state }) => state === 'current');
    const written = box.writes().slice(before);
    t.ok(written.length > 0);
    t.strictSame(
      written.filter((call) => /\/ltm\/(rule|virtual)/.test(call)),
      [],
      'neither rules nor virtual servers are touched',
    );
    t.equal(await line.say('meanwhile'), 'meanwhile', 'an open connection survives a change');

    await it.write('crm-1.yaml', workload('crm-1', crm, 'dev'));
    await it.write('crm-3.yaml', workload('crm-3', '127.0.1.3', 'prod'));
    await until('crm-1 is out', async () => (await ask(orders, crm)).outcome === 'reset');
    t.equal((await browser.get('/v1/orders/7')).outcome, 403, 'the next request of its open connection is judged anew');
    t.equal(browser.opened(), 1, 'and that connection was not reset');
    t.equal((await untouched.get('/v1/orders/7')).outcome, 200);
    t.equal(await line.say('after'), 'after', 'layer 4 judges when a connection begins: this one lives on');
    t.equal(await openLine(t, ledger, crm).say('again'), null, 'and the next one is reset');
  });

  t.test('what the BIG-IP numbered is what is in the ledger', async (t) => {
    for (let n = 0; n < 20; n += 1) await ask(orders, stranger, `/${n}`);
    const stored = (): Promise<number> => it.denials('sinceMs=0&limit=1000').then(({ denials }) => denials.length);
    const stranger20 = async (): Promise<boolean> =>
      (await it.denials(`source=${stranger}&limit=1000&sinceMs=0`)).denials.length === 21;
    await until('all of them are stored', stranger20);
    const [point, samples] = [await pointOf(it), await it.metrics()];
    t.equal(sumOf(samples, 'edgeward_ledger_denials_total'), await stored());
    const gap = (cause: string): number | null => sumOf(samples, 'edgeward_gap_denials', { cause });
    t.strictSame([gap('missing'), gap('suppressed')], [0, 0]);
    t.equal(point.denials.stored, point.denials.counted);
  });
});
