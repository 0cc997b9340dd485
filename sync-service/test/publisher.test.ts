import { rm, writeFile } from 'node:fs/promises';
import type { Finding } from '@edgeward/policy';
import t from 'tap';
import { changed, front, policy, rule, site, syntax, tested, workload } from './fixtures/site.ts';
import { stage } from './fixtures/stage.ts';

const allowed = 'allow by crm-orders';

t.test('before anything was read there is no policy; the first reading is revision 1', async (t) => {
  const it = await stage(t);
  t.match(it.publisher.status(), { state: 'none', revision: 0, hash: '', changedAtMs: null, held: null });
  await it.offer(site);
  t.match(it.publisher.status(), { state: 'current', revision: 1, errors: [], held: null, nextChangeAtMs: null });
  t.strictSame(it.published, [1]);
  t.strictSame([it.verdict('10.30.1.1'), it.verdict('10.9.9.9')], [allowed, 'unknown-source']);
});

t.test('an empty directory is no first policy: the points keep what they hold', async (t) => {
  const it = await stage(t);
  await it.offer({});
  t.match(it.publisher.status(), { state: 'none', revision: 0, errors: [{ code: 'EDW_ERR_POLICY_DIR' }] });
  t.strictSame(it.published, []);
  await it.offer(site);
  t.match(it.publisher.status(), { state: 'current', revision: 1, errors: [] });
  await it.offer({});
  t.match(it.publisher.status(), { state: 'current', revision: 1, held: { objects: [{ lostShare: 1 }] } });
});

t.test('equal content keeps its revision, also when it was written down in another order', async (t) => {
  const it = await stage(t);
  await it.offer(site);
  await it.offer(site);
  await it.offer(Object.fromEntries(Object.entries(structuredClone(site)).toReversed()));
  t.strictSame(it.published, [1]);
});

t.test('labels that no rule asks for change no revision, but who an address is', async (t) => {
  const it = await stage(t);
  await it.offer(site);
  await it.offer(changed(site, { 'crm-1': workload('crm-1', '10.30.1.1', { app: 'crm', loc: 'eu' }) }));
  t.strictSame(it.published, [1]);
  t.strictSame(it.publisher.identities('edge-1', 1)?.identities.identify('10.30.1.1').labels, {
    app: 'crm',
    loc: 'eu',
  });
});

const broken: { name: string; site: typeof site; syntax?: Finding[]; code: string }[] = [
  { name: 'a file that cannot be read', site, syntax: [syntax], code: 'EDW_ERR_YAML_SYNTAX' },
  {
    name: 'an unknown key',
    site: changed(site, { policy: policy([rule({ form: [] })]) }),
    code: 'EDW_ERR_UNKNOWN_KEY',
  },
  {
    name: 'a rule to nothing',
    site: changed(site, { policy: policy([rule({ to: "app == 'shoop'" })]) }),
    code: 'EDW_ERR_TO_NOTHING',
  },
  { name: 'a name twice', site: changed(site, { twin: front }), code: 'EDW_ERR_DUPLICATE_NAME' },
];

t.test('a broken edit keeps the revision in force and says what is wrong; repaired, it is published', async (t) => {
  for (const state of broken) {
    t.test(state.name, async (t) => {
      const it = await stage(t);
      await it.offer(site);
      await it.offer(state.site, state.syntax);
      const { errors, ...status } = it.publisher.status();
      t.match(status, { state: 'last-known-good', revision: 1 });
      t.ok(errors.every(({ severity, mend }) => severity === 'error' && mend !== ''));
      t.equal(errors[0]?.code, state.code);
      t.equal(it.verdict('10.30.1.1'), allowed);
      await it.offer(changed(site, { 'crm-5': workload('crm-5', '10.30.1.5') }));
      t.match(it.publisher.status(), { state: 'current', revision: 2, errors: [] });
      t.equal(it.verdict('10.30.1.5'), allowed);
    });
  }
});

t.test('a broken directory at the first start is no policy, and says why', async (t) => {
  const it = await stage(t);
  await it.offer(site, [syntax]);
  t.match(it.publisher.status(), { state: 'none', revision: 0, errors: [{ code: 'EDW_ERR_YAML_SYNTAX', line: 7 }] });
  t.strictSame(it.published, []);
});

t.test('sources that fall into too many classes refuse the edit with a finding, as any other error', async (t) => {
  const it = await stage(t);
  await it.offer(site);
  // More than 65,535 sets of rules: an address for each pair of two of them.
  const rules = Array.from(
    { length: 363 },
    (_, i) => rule({ id: `r${i}`, from: [] as object[] }) as { from: object[] },
  );
  let address = 0;
  for (let i = 0; i < 363; i += 1) {
    for (let j = i + 1; j < 363; j += 1) {
      const cidr = { cidr: `11.${address >> 16}.${(address >> 8) & 255}.${address & 255}/32` };
      address += 1;
      rules[i]?.from.push(cidr);
      rules[j]?.from.push(cidr);
    }
  }
  await it.offer(changed(site, { policy: policy([rule(), ...rules]) }));
  t.match(it.publisher.status(), {
    state: 'last-known-good',
    revision: 1,
    errors: [{ code: 'EDW_ERR_TOO_FRAGMENTED' }],
  });
});

t.test('an edit that fails its own tests is refused, an inventory that moved is only a warning', async (t) => {
  const it = await stage(t);
  await it.offer(tested);
  const tests = [{ from: '10.30.1.1', to: 'order-front', port: 'tcp/443', expect: 'deny' }];
  await it.offer(changed(tested, { policy: policy([rule()], { tests }) }));
  t.match(it.publisher.status(), { state: 'last-known-good', revision: 1, errors: [{ code: 'EDW_ERR_TEST_FAILED' }] });
  await it.offer(changed(tested, { 'crm-1': workload('crm-1', '10.30.1.1', { app: 'erp' }) }));
  t.match(it.publisher.status(), { state: 'current', revision: 2, errors: [] });
  t.ok(it.publisher.status().warnings.some(({ code }) => code === 'EDW_WARN_TEST_FAILED'));
  t.equal(it.verdict('10.30.1.1'), 'unknown-source');
});

t.test('a rule that lost its objects to the inventory is inert with a warning, and blocks nobody else', async (t) => {
  const wider = changed(site, {
    side: { ...front, name: 'side', bind: 'side', labels: { app: 'side' } },
    policy: policy([rule(), rule({ id: 'to-side', to: "app == 'side'" })]),
  });
  const it = await stage(t);
  await it.offer(wider);
  // Relabelled, and so what it allowed goes at once: that is for a person to accept.
  await it.offer(changed(wider, { side: { ...front, name: 'side', bind: 'side', labels: { app: 'other' } } }));
  t.match(it.publisher.status(), {
    state: 'current',
    held: { revision: 2, objects: [{ object: 'side', lostShare: 1 }] },
  });
  await it.publisher.accept(2);
  t.match(it.publisher.status(), { state: 'current', revision: 2, errors: [], held: null });
  t.ok(it.publisher.status().warnings.some(({ code }) => code === 'EDW_WARN_TO_NOTHING'));
  t.equal(it.verdict('10.30.1.1'), allowed);
});

t.test('what was refused stays refused until the source changes, and is told once in the status', async (t) => {
  const it = await stage(t);
  await it.offer(site);
  await it.offer(site, [syntax]);
  await it.offer(site, [syntax]);
  t.equal(it.publisher.status().errors.length, 1);
  await it.offer(site);
  t.match(it.publisher.status(), { state: 'current', revision: 1, errors: [] });
  t.strictSame(it.published, [1]);
});

t.test('a source that is away keeps everything; the same content coming back changes nothing', async (t) => {
  const it = await stage(t);
  await it.offer(site);
  it.away();
  t.match(it.publisher.status(), { state: 'last-known-good', revision: 1, errors: [{ code: 'EDW_ERR_POLICY_DIR' }] });
  await it.offer(site);
  t.match(it.publisher.status(), { state: 'current', revision: 1, errors: [] });
  t.strictSame(it.published, [1]);
});

t.test('of many quick edits the newest wins, and the revisions only grow', async (t) => {
  const it = await stage(t);
  await it.offer(site);
  const edits = Array.from({ length: 60 }, (_, i) =>
    it.offer(changed(site, { 'crm-5': workload('crm-5', `10.31.0.${i}`) })),
  );
  await Promise.all(edits);
  t.strictSame(
    it.published,
    it.published.toSorted((one, other) => one - other),
  );
  t.equal(new Set(it.published).size, it.published.length);
  t.strictSame([it.verdict('10.31.0.59'), it.verdict('10.31.0.58')], [allowed, 'unknown-source']);
  const next = await it.restart();
  t.equal(next.verdict('10.31.0.59'), allowed, 'and is the one that a restart begins with');
  t.equal(next.held()?.revision, it.published.at(-1));
});

t.test('a point that holds revision 41 makes the next one 42', async (t) => {
  t.test('found before the first reading', async (t) => {
    const it = await stage(t);
    await it.publisher.foundRevision('edge-1', 41);
    t.strictSame(it.published, []);
    await it.offer(site);
    t.strictSame(it.published, [42]);
  });
  t.test('found later, because the point was away and the state folder is new', async (t) => {
    const it = await stage(t);
    await it.offer(site);
    await it.publisher.foundRevision('edge-1', 41);
    t.strictSame(it.published, [1, 42]);
    await it.publisher.foundRevision('edge-1', 41);
    await it.publisher.foundRevision('edge-1', 7);
    t.strictSame(it.published, [1, 42], 'an older one, or the same again, changes nothing');
  });
  t.test('found when the state folder is an older copy of itself', async (t) => {
    const it = await stage(t);
    await it.offer(site);
    await it.close();
    const next = await stage(t, { dir: it.dir });
    await next.publisher.foundRevision('edge-1', 41);
    const loaded = await next.cache.loadSnapshot();
    if (loaded.state !== 'loaded') throw new Error('the snapshot is there');
    await next.publisher.restore(loaded.snapshot);
    t.strictSame(next.published, [42]);
    await next.offer(site);
    t.strictSame(next.published, [42]);
  });
});

t.test('numbering goes on above the floor, and a restart without a change keeps the revision', async (t) => {
  const it = await stage(t);
  await it.offer(site);
  await it.offer(changed(site, { 'crm-5': workload('crm-5', '10.30.1.5') }));
  const next = await it.restart();
  t.match(next.publisher.status(), { state: 'last-known-good', revision: 2, errors: [] });
  t.strictSame(next.published, [2]);
  await next.offer(structuredClone(changed(site, { 'crm-5': workload('crm-5', '10.30.1.5') })));
  t.match(next.publisher.status(), { state: 'current', revision: 2 });
  await next.offer(site);
  t.strictSame(next.published, [2, 3]);
});

t.test('state that cannot be written is counted, and keeps nothing from the points', async (t) => {
  const it = await stage(t);
  await it.offer(site);
  t.equal(it.publisher.status().stateWriteFailures, 0);
  // Root may write anywhere, so the folder becomes a file.
  await it.publisher.foundRevision('edge-1', 1);
  // A snapshot may be on its way into it.
  await rm(it.dir, { recursive: true, maxRetries: 50, retryDelay: 10 });
  await writeFile(it.dir, '');
  await it.offer(changed(site, { 'crm-1': null }));
  t.equal(it.verdict('10.30.1.1'), 'unknown-source');
  t.match(it.publisher.status(), { state: 'current', revision: 2 });
  t.ok(it.publisher.status().stateWriteFailures > 0);
  await it.offer(site);
  t.strictSame(it.published, [1, 2, 3], 'and no number is given twice');
});
