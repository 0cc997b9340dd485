/** What people sign is shown by what stands in it, whoever the store says is where: nothing of it hides behind an inventory. */
import { type Bundle, bundleOf, computeApprovalPayload } from '@edgeward/central-store';
import { generateSigningKey, type TrustRoot, trustRootOf } from '@edgeward/policy-format';
import t from 'tap';
import type { Context } from '../src/frame/command.ts';
import { createPaint } from '../src/frame/terminal-text.ts';
import { type ChangeView, changeText, viewChange } from '../src/store/change/change-view.ts';

type Document = { [key: string]: unknown };

const nowMs = Date.parse('2026-11-22T12:00:00.000Z');
const placed = (value: Document) => ({ file: 'a.yaml', value, locate: () => ({ line: 1, column: 1 }) });
const bundle = (...documents: Document[]): Bundle => bundleOf(documents.map(placed));
const server = (name: string, more: Document = {}): Document => ({
  ...{ kind: 'VirtualServer', name, labels: { app: 'shop' }, point: 'edge-1', bind: name, ports: ['tcp/443'] },
  ...{ mode: 'enforce', ...more },
});
const network = { kind: 'Network', name: 'n', cidrs: ['192.0.2.0/24'] };
const rule = (from: Document[], more: Document = {}): Document => ({ id: 'r', from, to: "app == 'shop'", ...more });
const policy = (...rules: Document[]): Document => ({ kind: 'Policy', name: 'p', rules });
const crm = { workloads: "app == 'crm'", within: ['10.1.0.0/16'], max: 20 };
const until = (hour: number): Document => ({ until: `2026-11-23T${hour}:00:00.000Z` });

async function trustRoot(): Promise<TrustRoot> {
  const keys = await Promise.all([1, 2, 3, 4, 5].map(() => generateSigningKey()));
  const [ada, ben, cyn, store, log] = keys.map(({ publicKey }) => publicKey);
  return trustRootOf({
    ...{ typ: 'edgeward-root/1', store: '0'.repeat(32), version: 1, epoch: 1, previous: null },
    issuedAt: new Date(nowMs).toISOString(),
    people: [
      { name: 'ada', roles: ['author'], keys: [ada] },
      { name: 'ben', roles: ['approver'], keys: [ben] },
      { name: 'cyn', roles: ['approver'], keys: [cyn] },
    ],
    thresholds: { normal: 1, elevated: 2, root: 1, breakGlassHours: 4 },
    storeKeys: [store],
    logKeys: [log],
  });
}

const root = await trustRoot();

/** With an inventory that holds nobody, as a store could say. */
async function shown(before: Bundle | null, after: Bundle, all = false): Promise<{ view: ChangeView; text: string }> {
  const inputs = { root, proposedBy: 'ada', reason: 'CHG-1', nowMs };
  const first = before === null ? null : computeApprovalPayload({ ...inputs, bundle: before, previous: null });
  const previous = first === null ? null : { approval: first.payload, digest: 'a'.repeat(64), approved: before };
  const computed = computeApprovalPayload({ ...inputs, bundle: after, previous });
  const context = { now: () => nowMs, flag: () => all, err: { isTty: false, write: async () => {} } };
  const inventory = { documents: [], from: 'as the store says' };
  const sides = { before, from: before === null ? null : 1, after, inventory, ground: null };
  const view = await viewChange(context as unknown as Context, computed, 'b'.repeat(64), sides);
  return { view, text: changeText(view, all, createPaint(false), nowMs) };
}

const base = [server('a'), network];

t.test('every change of what is signed is said in words, with an inventory that holds nobody', async (t) => {
  const anybody = 'may hold anybody at all';
  const cases: { name: string; before: Document[]; after: Document[]; says: string[] }[] = [
    {
      name: 'a new term within a wide fence',
      before: [policy(rule([{ network: 'n' }]))],
      after: [policy(rule([{ network: 'n' }, { workloads: "app == 'x'", within: ['10.0.0.0/8'] }]))],
      says: ["      + from workloads app == 'x', within 10.0.0.0/8, no limit  may hold anybody in 10.0.0.0/8\n"],
    },
    {
      name: 'a new term without a fence',
      before: [policy(rule([crm]))],
      after: [policy(rule([crm, { workloads: "app == 'x'" }]))],
      says: [`      + from workloads app == 'x', no fence, no limit  ${anybody}\n`],
    },
    {
      name: 'all addresses, cut up into CIDRs',
      before: [policy(rule([crm]))],
      after: [policy(rule([{ ...crm, within: ['0.0.0.0/2', '64.0.0.0/2', '128.0.0.0/1'] }]))],
      says: [`128.0.0.0/1, at most 20  ${anybody}\n`, '      - from workloads'],
    },
    {
      name: 'all addresses, cut up into terms',
      before: [policy(rule([crm]))],
      after: [policy(rule([0, 1].map((i) => ({ workloads: `app == 'x${i}'`, within: [`${i * 128}.0.0.0/1`] }))))],
      says: [`      + from 2 terms of workloads together  ${anybody}\n`],
    },
    {
      name: 'another selector of a group that is empty',
      before: [policy(rule([crm]))],
      after: [policy(rule([{ ...crm, workloads: "app == 'crm' || app == 'x'" }]))],
      says: ["      - from workloads app == 'crm',", "      + from workloads app == 'crm' || app == 'x',"],
    },
    {
      name: 'a lower max',
      before: [policy(rule([crm]))],
      after: [policy(rule([{ ...crm, max: 3 }]))],
      says: ['at most 20\n', 'at most 3  may hold anybody in 10.1.0.0/16\n'],
    },
    {
      name: 'an end that comes earlier',
      before: [policy(rule([crm], until(11)))],
      after: [policy(rule([crm], until(10)))],
      says: [
        '      - until 2026-11-23T11:00:00.000Z\n      + until 2026-11-23T10:00:00.000Z\n',
        'at most 20 (as before)  may hold anybody in 10.1.0.0/16\n',
      ],
    },
    {
      name: 'no end any more',
      before: [policy(rule([crm], until(11)))],
      after: [policy(rule([crm]))],
      says: ['      + until no end (as nothing is written)\n'],
    },
    {
      name: 'a new deny rule on nobody',
      before: [policy(rule([crm]))],
      after: [policy(rule([crm]), rule([crm], { id: 'no', action: 'deny' }))],
      says: ['    rule no\n', '      + action deny\n', 'rule no is about a from now on\n'],
    },
    {
      name: 'ports, requests and the selector of a rule',
      before: [policy(rule([crm], { ports: ['tcp/443'], http: [{ methods: ['GET'], path: '/v1/*' }] }))],
      after: [policy(rule([crm], { to: "app in {'shop', 'bank'}" }))],
      says: [
        '      - http methods GET; path /v1/*\n',
        '      - ports tcp/443\n',
        "      + to app in {'shop', 'bank'}\n",
        '      + http every request (as nothing is written)\n',
        '      + ports every port of the object (as nothing is written)\n',
      ],
    },
    {
      name: 'an object that gets labels of a rule',
      before: [server('b', { labels: { app: 'bank' } }), policy(rule([crm]))],
      after: [server('b'), policy(rule([crm]))],
      says: [
        '    - labels app=bank\n    + labels app=shop\n',
        "  rule r is about b from now on\n      from workloads app == 'crm', within 10.1.0.0/16, at most 20  may hold",
      ],
    },
    {
      name: 'settings of an object',
      before: [server('b', { trustedProxies: ['192.0.2.7/32'] }), policy(rule([crm]))],
      after: [server('b', { mode: 'observe', bind: 'other', point: 'edge-2' }), policy(rule([crm]))],
      says: [
        '    - trustedProxies 192.0.2.7/32\n',
        '    - mode enforce\n',
        '    + mode observe\n',
        '    + bind other\n',
        '    + point edge-2\n',
      ],
    },
    {
      name: 'a network that nobody uses',
      before: [policy(rule([crm]))],
      after: [{ ...network, name: 'm', expires: '2027-01-01T00:00:00.000Z' }, policy(rule([crm]))],
      says: ['  added  Network m\n    + cidrs 192.0.2.0/24\n    + expires 2027-01-01T00:00:00.000Z\n'],
    },
    {
      name: 'a test and a reason',
      before: [
        {
          ...policy(rule([crm], { why: 'CHG-1' })),
          tests: [{ from: '192.0.2.1', to: 'a', port: 'tcp/443', expect: 'deny' }],
        },
      ],
      after: [policy(rule([crm], { why: 'CHG-2' }))],
      says: ['      - test expect deny; from 192.0.2.1; port tcp/443; to a\n', '      + why CHG-2\n'],
    },
    {
      name: 'another order',
      before: [policy(rule([{ network: 'n' }, crm]))],
      after: [policy(rule([crm, { network: 'n' }]))],
      says: ['    + the same entries, in another order or spelling\n'],
    },
    {
      name: 'a policy that goes',
      before: [policy(rule([crm])), { ...policy(rule([crm], { id: 's' })), name: 'q' }],
      after: [policy(rule([crm]))],
      says: ['0 added, 1 removed, 0 changed\n', '  removed  Policy q\n    rule s\n', 'rule s is no longer about a\n'],
    },
  ];
  for (const { name, before, after, says } of cases) {
    const { view, text } = await shown(bundle(...base, ...before), bundle(...base, ...after));
    for (const line of says) t.ok(text.includes(line), `${name}: ${line.trim()}`, { text });
    t.notMatch(text, 'Nothing would change', name);
    t.equal(view.changes, true, name);
    t.match(text, 'Members come from an inventory (as the store says), and are not signed:\n', name);
  }
});

t.test('what is the same with its keys in another order is not shown as changed', async (t) => {
  const test = { from: '192.0.2.1', to: 'a', port: 'tcp/443', expect: 'deny' };
  const asStored = { expect: 'deny', from: '192.0.2.1', port: 'tcp/443', to: 'a' };
  const before = bundle(...base, { ...policy(rule([crm], { why: 'CHG-1' })), tests: [asStored] });
  const { text } = await shown(before, bundle(...base, { ...policy(rule([crm], { why: 'CHG-2' })), tests: [test] }));
  t.match(text, '      + why CHG-2\n');
  t.notMatch(text, /[-+] test /);
});

t.test('only the same documents change nothing', async (t) => {
  const same = bundle(...base, policy(rule([crm])));
  const { view, text } = await shown(same, same);
  t.match(text, 'Documents, version 1 → version 2: 0 added, 0 removed, 0 changed\n');
  t.match(text, 'Nothing would change.');
  t.equal(view.changes, false);
  const first = await shown(null, same);
  t.match(first.text, 'Documents, nothing → version 1: 3 added, 0 removed, 0 changed\n');
});

t.test('JSON has every entry of it, with the fence of each term', async (t) => {
  const term = { workloads: "app == 'x'", within: ['10.0.0.0/8'] };
  const after = bundle(...base, policy(rule([crm], { http: [{ path: '/v1' }] }), rule([term], { id: 's' })));
  const { view } = await shown(bundle(...base, policy(rule([crm]))), after);
  t.match(view.documents, {
    digest: after.digest,
    added: [],
    removed: [],
    changed: [
      {
        kind: 'Policy',
        name: 'p',
        removed: [{ where: 'rule r', text: 'http every request (as nothing is written)', fence: null }],
        kept: [{ where: 'rule r', fence: 'may hold anybody in 10.1.0.0/16' }],
      },
    ],
    reach: [{ rule: 's', gained: ['a'], lost: [], from: [{ fence: 'may hold anybody in 10.0.0.0/8' }] }],
  });
});

t.test('what is left out is counted, and no source that nobody signs is left out', async (t) => {
  const many = Array.from({ length: 400 }, (_, i) => server(`o-${i}`, { labels: { app: 'other' } }));
  const opened = rule([crm, { workloads: "app == 'x'", within: ['10.0.0.0/8'] }], { to: "app == 'other'" });
  const before = bundle(...base, policy(rule([crm])));
  const after = bundle(...base, ...many, { ...policy({ ...opened, id: 'z' }), name: 'zz' }, policy(rule([crm])));
  const { text } = await shown(before, after);
  t.match(text, '401 added, 0 removed, 0 changed\n');
  t.match(text, /\n {2}… and [\d,]+ more lines; --all shows them\n/);
  t.match(text, "      + from workloads app == 'x', within 10.0.0.0/8, no limit  may hold anybody in 10.0.0.0/8\n");
  const whole = await shown(before, after, true);
  t.notMatch(whole.text, '--all shows them');
  t.match(whole.text, '  added  VirtualServer o-399\n');
  const long = Array.from({ length: 256 }, (_, i) => `10.${i}.0.0/17`);
  const cut = await shown(before, bundle(...base, policy(rule([{ ...crm, within: long }]))));
  t.match(cut.text, /… and [\d,]+ more characters; --all shows them {2}may hold anybody in 10\.0\.0\.0\/17, /);
  t.match(cut.text, '10.3.0.0/17 and 252 more: 8,388,608 addresses\n');
});

t.test('nothing in a document is obeyed by a terminal', async (t) => {
  const before = bundle(...base, policy(rule([crm])));
  const { text } = await shown(before, bundle(...base, policy(rule([crm], { why: 'a\n\x1b[2J\u202eb' }))));
  t.match(text, '+ why a\\x0a\\x1b[2J\\u{202e}b\n');
});
