/**
 * What people do to an NGINX that is in service: the files of a new version in place of the former ones, and another
 * program in place of the one that runs. Requests go on meanwhile, and nobody is judged as no policy says.
 */
import { copyFile } from 'node:fs/promises';
import { type Edge, onEveryNginx, startSteadyLoad } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { ask, eventually, statusOf } from './fixtures/asking.ts';
import { formerLastKnown, installFormer } from './fixtures/former-edge.ts';
import { smallPolicy } from './fixtures/policies.ts';
import { startReplaceable } from './fixtures/replaceable-nginx.ts';

/** In both policies, in neither, in the first and in the second. */
const ALWAYS = '127.0.1.1';
const NEVER = '127.0.2.1';
const BEFORE = '127.0.3.1';
const AFTER = '127.0.4.1';
const clients = [ALWAYS, NEVER, BEFORE, AFTER].map((from) => ({ from, path: '/' }));

const first = smallPolicy({ revision: 1, allow: [ALWAYS, BEFORE] });
const second = smallPolicy({ revision: 2, allow: [ALWAYS, AFTER] });

const claim = await onEveryNginx(t);

claim(
  'files of a new version in place of the former: the policy stays, and nobody is judged otherwise',
  async (t, on) => {
    const edge = await on.startEdge(t);
    await installFormer(edge);
    await edge.restart();
    const point = edge.point({ collectAfterMs: 20 });
    await point.apply(first);
    t.match(
      await point.inspect(),
      { state: 'loaded', revision: 1, drift: [] },
      'the former module takes what is pushed',
    );
    const load = startSteadyLoad(edge.port, clients);
    t.teardown(async () => void (await load.stop()));
    const seen = await seenDuring(edge, async () => {
      await edge.configure({});
      t.match(await point.inspect(), { revision: 1 }, 'with the files written, the former module still answers');
      await edge.reload();
      t.match(await point.inspect(), { state: 'loaded', revision: 1, drift: [] }, 'the policy stays');
    });
    t.ok(seen > 0, 'the reload fell into the load');
    await point.apply(second);
    t.strictSame(
      await statuses(edge),
      { always: 200, never: 403, before: 403, after: 200 },
      'the next push is judged by',
    );
    proveLoad(t, await load.stop());
    await proveDenials(t, edge);
  },
);

claim('the former files in place of the new: closed, until the policy is pushed anew', async (t, on) => {
  const edge = await on.startEdge(t);
  const point = edge.point({ collectAfterMs: 20 });
  await point.apply(first);
  await installFormer(edge);
  await edge.reload();
  t.strictSame(await statuses(edge), { always: 403, never: 403, before: 403, after: 403 });
  await point.apply(second);
  t.strictSame(await statuses(edge), { always: 200, never: 403, before: 403, after: 200 });
});

claim('a last-known file of the former version is judged by after a restart', async (t, on) => {
  const edge = await on.startEdge(t);
  await copyFile(formerLastKnown, edge.paths.lastKnownFile);
  await edge.restart();
  const table: [string, string, number][] = [
    ['127.0.0.7', '/v1/a', 200],
    ['127.0.0.7', '/v2/a', 403],
    ['127.0.0.8', '/v1/a', 403],
    ['127.0.0.9', '/v1/a', 403],
    ['127.0.1.7', '/v1/a', 403],
  ];
  for (const [from, path, status] of table)
    t.equal((await ask(edge, { from, path })).status, status, `${from} ${path}`);
  const reasons = (await edge.denials()).map(({ reason, rule, revision }) => [reason, rule, revision]);
  t.strictSame(reasons, [
    ['request-not-allowed', null, 41],
    ['denied-by-rule', 'never', 41],
    ['unknown-source', null, 41],
    ['unknown-source', null, 41],
  ]);
});

claim('another program in place of the one that runs (USR2): nobody is judged otherwise', async (t, on) => {
  const edge = await on.startEdge(t);
  const nginx = await startReplaceable(t, edge);
  const point = edge.point({ collectAfterMs: 20 });
  await point.apply(first);
  const before = await point.probe();
  const load = startSteadyLoad(edge.port, clients);
  t.teardown(async () => void (await load.stop()));
  await nginx.replace();
  await seenDuring(edge, () => nginx.endFormer());
  t.not(await point.probe(), before, 'the new one has a zone of its own, and the driver sees it');
  t.match(await point.inspect(), { state: 'loaded', revision: 1, drift: [] }, 'filled from the last-known file');
  await point.apply(second);
  t.strictSame(await statuses(edge), { always: 200, never: 403, before: 403, after: 200 });
  proveLoad(t, await load.stop());
  await proveDenials(t, edge);
});

claim(
  'a push while both programs serve reaches one of them; the other has it when it is pushed again',
  async (t, on) => {
    const edge = await on.startEdge(t);
    const nginx = await startReplaceable(t, edge);
    const point = edge.point({ collectAfterMs: 20 });
    await point.apply(first);
    const load = startSteadyLoad(edge.port, clients);
    t.teardown(async () => void (await load.stop()));
    await nginx.replace();
    t.ok(await eventually(() => applied(point.apply(second))), 'one of both takes it');
    await nginx.endFormer();
    // As the sync service does when it sees that the zone is another one.
    t.ok(await eventually(() => applied(point.apply(second))), 'and the new one, once the former is gone');
    t.match(await point.inspect(), { state: 'loaded', revision: 2, drift: [] });
    t.strictSame(await statuses(edge), { always: 200, never: 403, before: 403, after: 200 });
    proveLoad(t, await load.stop());
    await proveDenials(t, edge);
  },
);

const applied = (apply: Promise<unknown>): Promise<boolean> =>
  apply.then(
    () => true,
    () => false,
  );

/** How many denials there were meanwhile, and waits until there is one: else nothing was seen of what happened. */
async function seenDuring(edge: Edge, during: () => Promise<void>): Promise<number> {
  const count = async (): Promise<number> => (await edge.denials()).length;
  const before = await count();
  await during();
  await eventually(async () => (await count()) > before);
  return (await count()) - before;
}

async function statuses(edge: Edge): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const [name, from] of Object.entries({ always: ALWAYS, never: NEVER, before: BEFORE, after: AFTER }))
    found[name] = await statusOf(edge, { from });
  return found;
}

/** 0: a kept connection ended with its worker, which every reload does. */
function proveLoad(t: Test, answers: Map<string, Record<number, number>>): void {
  const judged = (from: string): number[] =>
    Object.keys(answers.get(from) ?? {})
      .map(Number)
      .filter((status) => status !== 0);
  t.strictSame(
    [judged(ALWAYS), judged(NEVER)],
    [[200], [403]],
    'who both policies allow is let in, who neither does is not',
  );
  t.strictSame(
    [judged(BEFORE), judged(AFTER)],
    [
      [200, 403],
      [200, 403],
    ],
    'and the others as one of both says',
  );
}

async function proveDenials(t: Test, edge: Edge): Promise<void> {
  const denials = await edge.denials();
  const wrong = denials.filter(({ source, revision, reason }) => {
    const deniedBy = source === NEVER ? [1, 2] : source === AFTER ? [1] : [2];
    return source === ALWAYS || !deniedBy.includes(revision) || reason !== 'unknown-source';
  });
  t.strictSame(wrong, [], `every denial is what its revision says, of ${denials.length}`);
}
