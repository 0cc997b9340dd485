/**
 * A store from its first key to what points are served: real processes, real TLS, real files. Nobody's word is taken for
 * what people signed.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { headOf, LIMITS, payloadOf, signedDocumentOf } from '@edgeward/policy-format';
import t, { type Test } from 'tap';
import { makeStore, ok, type RealStore, serveStore, waitFor } from './fixtures/real-store.ts';
import { documentsIn, examplePolicies, run, start } from './fixtures/run.ts';

const shop = readFileSync(join(examplePolicies, 'shop.yaml'), 'utf8');
const inventory = readFileSync(join(examplePolicies, 'inventory.yaml'), 'utf8');

/** A store with an inventory, and a policy directory that is ready to be proposed. */
async function openStore(t: Test, init: readonly string[] = []): Promise<RealStore> {
  const folders = await makeStore(t, init);
  const [workloads = '', network = ''] = inventory.split(/^(?=kind: Network)/m);
  writeFileSync(join(folders.inventory, 'inventory.yaml'), workloads.replace(/---\n$/, ''));
  writeFileSync(join(folders.policies, 'shop.yaml'), shop);
  writeFileSync(join(folders.policies, 'networks.yaml'), network);
  const store = await serveStore(t, folders);
  await store.workloads(3);
  return store;
}

interface Proposed {
  proposal: { id: string; needed: number; dryRun: boolean };
  digest: string;
  version: number;
  risks: { risk: string; where: string }[];
  returnUntil: string | null;
  plan: { totals: { gained: number; lost: number } };
}

function edit(store: RealStore, change: (text: string) => string): void {
  const file = join(store.policies, 'shop.yaml');
  writeFileSync(file, change(readFileSync(file, 'utf8')));
}

/** Proposed by Ada, signed by as many as it takes, published by Ben. */
async function publish(store: RealStore, args: readonly string[] = [store.policies]): Promise<Proposed> {
  const verb = args[0] === store.policies ? ['propose', ...args] : args;
  const made = await store.json<Proposed>('ada', [...verb, '--reason', 'CHG-1']);
  const signers = (['ben', 'cyn'] as const).slice(0, made.proposal.needed);
  for (const name of signers) await store.json(name, ['approve', made.digest, '--reason', 'looked at it']);
  await store.json('ben', ['publish', made.proposal.id]);
  return made;
}

/** What a point with this certificate is served. */
async function headRevision(store: RealStore, folder: string, point: string): Promise<number | null> {
  const file = (name: string): Buffer => readFileSync(join(folder, name));
  const tls = { cert: file(`${point}.pem`), key: file(`${point}-key.pem`), ca: file('store-ca.pem') };
  const text = await new Promise<string | null>((resolve, reject) => {
    const asked = request(`${store.url}/v1/points/${point}/head`, { ...tls, agent: false }, (answer) => {
      let all = '';
      answer.setEncoding('utf8').on('data', (piece: string) => {
        all += piece;
      });
      answer.on('end', () => resolve(answer.statusCode === 200 ? all : null));
    });
    asked.on('error', reject);
    asked.end();
  });
  if (text === null) return null;
  return headOf(payloadOf(signedDocumentOf(JSON.parse(text)), 'the head', LIMITS.headBytes)).revision;
}

t.test('from a policy directory to the head of a point, through two other people', async (t) => {
  const store = await openStore(t);
  const site = join(store.root, 'site');
  await ok(['store', 'certificate', store.store, '--point', 'edge-1', '--out', site]);
  t.equal(await headRevision(store, site, 'edge-1'), null, 'a point has nothing yet');

  const dry = await store.as('ada', ['propose', store.policies, '--reason', 'CHG-4411', '--dry-run']);
  t.match(dry, {
    code: 0,
    out: /^would propose version 1, needs 2 approvals of others than ada: nobody has signed yet/,
  });
  t.match(await store.as('ben', ['review']), { code: 0, out: 'No proposals.\n' }, 'a dry run proposes nothing');

  const made = await store.json<Proposed>('ada', ['propose', store.policies, '--reason', 'CHG-4411: the shop']);
  const { id } = made.proposal;
  t.match(made, { version: 1, returnUntil: null, risks: [{ risk: 'unfenced', where: 'rule crm-reports' }] });

  const listed = await store.as('ben', ['review']);
  t.match(listed.out, new RegExp(`^${id}  open  policy, 0 of 2 approvals, ada, \\d+s ago: CHG-4411: the shop\n$`));

  const review = await store.as('ben', ['review', id]);
  t.strictSame([review.code, review.err], [3, '']);
  for (const line of [
    'needs 2 approvals of others than ada: nobody has signed yet; can sign: ben, cyn\n',
    '  risk  unfenced  rule ops-everything: labels alone decide who is let in: no fence, or a wide one\n',
    `  payload ${made.digest}\n`.trim(),
    'who is where: 3 workloads, as the store says\n',
    'Nothing is in force yet → version 1\n',
    'edge-1  0 → 3 objects, 0 → 5 rules,',
    '    gained  app=crm,env=prod within 127.0.10.0/24 (1 workload: crm-1 127.0.10.4)  tcp/80  GET /v1/orders/*; POST /v1/orders/*  by crm-orders\n',
    '3 objects would change at 1 of 1 point: 6 gained, 0 lost.\n',
    'Computed here from 5 documents: rules, risks and approvals are what ada signed.\n',
    `\nTo sign exactly this: edgeward store approve ${made.digest} --reason TEXT\n`,
  ])
    t.ok(review.out.includes(line), line.trim());

  t.match(await store.as('ada', ['approve', made.digest, '--reason', 'mine']), {
    code: 3,
    err: /EDW_ERR_PROPOSAL_OWN/,
  });
  t.match(await store.as('ben', ['publish', id]), { code: 3, err: /EDW_ERR_APPROVAL_TOO_FEW/ });
  const rehearsed = await store.as('ben', ['approve', id, '--reason', 'ok', '--dry-run']);
  t.match(rehearsed, { code: 0, out: new RegExp(`\nben would sign ${id}\n$`) });
  t.match(await store.as('ben', ['approve', made.digest, '--reason', 'ok']), { code: 0, out: /it is open now\n$/ });
  const unseen = await store.as('cyn', ['approve', id, '--reason', 'ok too']);
  t.match(unseen, { code: 2, out: '', err: /EDW_ERR_USAGE: this machine has not shown the proposal / });
  t.match((await store.as('cyn', ['review', id])).out, '  as the store says, ben signed because: ok\n');
  const last = await store.as('cyn', ['approve', id, '--reason', 'ok too']);
  t.match(last, { code: 0, out: /it is approved now\n\nNext: edgeward store publish/ });
  t.match((await store.as('cyn', ['review', id])).out, 'needs 2 approvals of others than ada: signed by ben, cyn\n');
  t.match(await store.as('cyn', ['publish', id]), { code: 3, err: /EDW_ERR_STORE_ROLE/ }, 'no publisher');
  t.match(await store.as('ben', ['publish', id, '--dry-run']), {
    code: 0,
    out: `would publish version 1, proposal ${id}\n`,
  });
  t.match(await store.as('ben', ['publish', id]), { code: 0, out: `published version 1, proposal ${id}\n` });
  const revision = await waitFor(() => headRevision(store, site, 'edge-1'), store.log);
  t.ok(revision > 0, 'the point is served a head');

  const status = await store.as('ada', ['status']);
  t.match(status.out, /policy {5}version 1, trust root 1, epoch 1\n/);
  t.match(status.out, new RegExp(`edge-1 +never heard +1 +${revision} +- +- +never`));

  // Only what the point has changes its head.
  edit(store, (text) => text.replace('path: /v1/catalogue/*', 'path: /v1/*'));
  const second = await publish(store);
  t.match(second, { version: 2, risks: [], proposal: { needed: 1 }, plan: { totals: { gained: 1, lost: 0 } } });
  t.ok((second.returnUntil ?? '') > new Date().toISOString(), 'with a way back');
  await waitFor(async () => ((await headRevision(store, site, 'edge-1')) ?? 0) > revision || null, store.log);
  const log = await store.as('eve', ['log', '--after', '0']);
  t.match(log.out, /allowed {2}proposal\.publish {2}proposal\/[0-9a-f]{16} {2}ben \(certificate\)\n/);
  t.match(log.out, /refused {2}proposal\.publish .*EDW_ERR_APPROVAL_TOO_FEW/);
  t.match(await store.as('ada', ['log']), { code: 3, err: /EDW_ERR_STORE_ROLE/ }, 'the record is for auditors');
});

t.test('a proposal that the store changed is not reviewed, and not signed', async (t) => {
  const store = await openStore(t);
  const made = await store.json<Proposed>('ada', ['propose', store.policies, '--reason', 'CHG-1']);
  const { id } = made.proposal;
  const folder = join(store.store, 'proposals', id);
  const file = join(folder, 'documents.ndjson');
  const documents = readFileSync(file, 'utf8');
  const refuses = async (what: string, code: string): Promise<void> => {
    for (const args of [
      ['review', id],
      ['approve', made.digest, '--reason', 'ok'],
    ])
      t.match(
        await store.as('ben', args),
        { code: 3, out: '', err: new RegExp(`^error ${code}: `) },
        `${what}: ${args[0]}`,
      );
  };
  writeFileSync(file, documents.replace('127.0.10.0/24', '127.0.0.0/8'));
  await refuses('a wider fence in the documents', 'EDW_ERR_STORE_TAMPERED');
  writeFileSync(file, documents);
  t.equal((await store.as('ben', ['review', id])).code, 3);
  const other = `${made.digest.slice(0, 63)}${made.digest.endsWith('0') ? '1' : '0'}`;
  t.match(await store.as('ben', ['approve', other, '--reason', 'ok']), { code: 3, err: /EDW_ERR_STORE_TAMPERED/ });
  t.match(await store.as('ben', ['approve', 'f'.repeat(64), '--reason', 'ok']), {
    code: 3,
    err: /EDW_ERR_PROPOSAL_UNKNOWN/,
  });
  t.match(await store.as('ben', ['approve', '../x', '--reason', 'ok']), { code: 2, err: /is no proposal/ });
  const signed = ['--signing-key', join(store.root, 'cyn.key')];
  const stolen = await store.as('ben', ['approve', id, '--reason', 'ok', ...signed]);
  t.match(stolen, { code: 3, err: /EDW_ERR_STORE_SIGNER: signing as ben/ }, 'the key of another');
  t.match(await store.as('eve', ['approve', made.digest, '--reason', 'ok']), { code: 2, err: /no key to sign with/ });
  t.match(await store.as('ada', ['reject', id, '--reason', 'never mind', '--dry-run']), {
    code: 0,
    out: `would reject ${id}\n`,
  });
  t.match(await store.as('ada', ['reject', id, '--reason', 'never mind']), { code: 0, out: `rejected ${id}\n` });
  t.match(await store.as('ben', ['approve', id, '--reason', 'ok']), { code: 3, err: /EDW_ERR_PROPOSAL_CLOSED/ });
});

t.test('grants, break-glass, follow-ups and restores are versions like any other', async (t) => {
  const store = await openStore(t);
  await publish(store);
  const term = ['--from', '127.0.99.7', '--to', "app == 'shop' && role == 'admin'", '--ports', 'tcp/80'];

  const grant = ['grant', ...term, '--for', '30m', '--name', 'look'];
  const granted = await publish(store, grant);
  t.match(granted, { version: 2, risks: [], plan: { totals: { gained: 1 } } });
  t.match(
    await store.as('ada', ['grant', '--from', "app == 'ops'", ...term.slice(2), '--for', '1h', '--reason', 'x']),
    {
      code: 2,
      err: /has no fence/,
    },
  );
  t.match(await store.as('ada', ['grant', ...term, '--for', '60d', '--reason', 'x']), {
    code: 2,
    err: /EDW_ERR_GRANT/,
  });

  const kept = await store.as('ada', ['propose', store.policies, '--reason', 'CHG-2', '--dry-run']);
  t.match(kept, { code: 0, err: /^carried over: grant-look, until / });
  t.match(kept.out, '0 added, 0 removed, 0 changed\n');
  t.match(kept.out, 'Nothing would change.');
  const dropped = await store.as('ada', ['propose', store.policies, '--reason', 'CHG-2', '--dry-run', '--drop-grants']);
  t.match(dropped, {
    code: 0,
    err: /^ends with this version: grant-look.*\nnote: an older version had these documents/,
  });
  t.match(dropped.out, 'lost    127.0.99.7');
  t.match(dropped.out, 'risk  restored  documents: ');

  const two = await store.json<Proposed>('ada', [
    'propose',
    store.policies,
    '--break-glass',
    '--on-top-of',
    '2',
    '--for',
    '1h',
    '--reason',
    'x',
  ]);
  t.match(two, { proposal: { needed: 1, approvers: [], missing: ['ben', 'cyn'] } }, 'an author needs one approver');
  await store.json('ada', ['reject', two.proposal.id, '--reason', 'not needed']);
  const glass = await store.json<Proposed>('ben', [
    ...grant.with(-1, 'glass'),
    ...['--break-glass', '--on-top-of', '2', '--reason', 'INC-7'],
  ]);
  t.match(glass, { version: 3, proposal: { needed: 1, approvers: ['ben'] } });
  const reviewed = await store.as('cyn', ['review', glass.proposal.id]);
  t.match(reviewed.out, /break-glass until .*; then the version before/);
  t.match(reviewed.out, '  as the store says, the roll-out of version 2 is rolling: this is built on it, and puts it');
  t.match(await store.as('ben', ['publish', glass.proposal.id]), {
    code: 3,
    err: /add `--on-top-of 2` if it is to be/,
  });
  await store.json('ben', ['publish', glass.proposal.id, '--on-top-of', '2']);
  const status = await store.as('cyn', ['status']);
  t.match(status.out, /follow-up {2}version 3 was break-glass of ben, until .*`edgeward store follow-up close 3`/);
  t.match(await store.as('ben', ['follow-up', 'close', '3', '--reason', 'fine']), {
    code: 3,
    err: /EDW_ERR_PROPOSAL_OWN/,
  });
  t.match(await store.as('cyn', ['follow-up', 'close', '3', '--reason', 'fine']), {
    code: 0,
    out: 'closed the follow-up of version 3\n',
  });
  t.match(await store.as('cyn', ['follow-up', 'close', '3', '--reason', 'fine']), {
    code: 3,
    err: /EDW_ERR_STORE_FOLLOW_UP/,
  });

  const restored = await publish(store, ['restore', '1']);
  t.match(restored, { version: 4, risks: [{ risk: 'restored' }], proposal: { needed: 2 } });
  t.match(await store.as('ada', ['restore', '99', '--reason', 'x']), { code: 3, err: /EDW_ERR_VERSION_UNKNOWN/ });
  t.match(await store.json('eve', ['verify']), { versions: 4, problems: [] });
});

t.test('a new trust root is shown by what it changes, and signed by approvers', async (t) => {
  const store = await openStore(t);
  await ok(['store', 'key', '--name', 'dan', '--out', join(store.root, 'dan.key')]);
  const { kid, x } = JSON.parse(readFileSync(join(store.root, 'dan.key.pub'), 'utf8')) as { kid: string; x: string };
  const shown = await store.as('ben', ['root']);
  t.match(shown.out, /^trust root 1, epoch 1, fingerprint [0-9a-f]{64}; 1 is pinned\n {2}ada {2}author {2}[\w-]{16}\n/);
  const file = join(store.root, 'root-2.json');
  t.match(await store.as('ben', ['root', '--out', file]), { code: 0, out: /a draft of version 2\n$/ });
  t.match(await store.as('ben', ['root', '--out', file]), { code: 2, err: /EDW_ERR_OUT_FILE/ }, 'what is there stays');
  const keyMade = await ok(['store', 'server-key', store.store, '--use', 'store', '--json']);
  const [added] = documentsIn(keyMade.out) as [{ key: { kid: string } }];
  const draft = JSON.parse(readFileSync(file, 'utf8')) as { people: object[]; storeKeys: object[] };
  const people = [...draft.people, { name: 'dan', roles: ['approver'], keys: [{ kid, x }] }];
  writeFileSync(file, JSON.stringify({ ...draft, people, storeKeys: [...draft.storeKeys, added.key] }));
  const made = await store.json<Proposed>('ben', ['propose', '--root', file, '--reason', 'Dan joins']);
  const { id } = made.proposal;
  const review = await store.as('cyn', ['review', id]);
  t.match(review, { code: 3, out: new RegExp(`^proposal ${id} {2}open {2}trust root 2, fingerprint [0-9a-f]{64}\n`) });
  t.match(review.out, '  as the store says, by ben: Dan joins\n', 'nobody signs the reason of a root');
  t.match(review.out, `  dan comes: approver, key ${kid}\n  store key ${added.key.kid} comes\n`);
  t.match(review.out, 'needs 2 approvals: signed by ben; can sign: cyn, dan\n');
  await store.json('cyn', ['approve', id, '--reason', 'welcome']);
  t.match(await store.as('ben', ['publish', id]), { code: 0, out: `published trust root 2, proposal ${id}\n` });
  // Everybody follows from the root that they pinned.
  const proposed = await store.json<Proposed>('ada', ['propose', store.policies, '--reason', 'CHG-1']);
  t.match((await store.as('cyn', ['review', proposed.proposal.id])).out, 'can sign: ben, cyn, dan\n');
  t.match(await store.json('eve', ['verify']), { roots: { pinned: 1, newest: 2 }, problems: [] });
  await store.stop();
  rmSync(join(store.store, 'roots', '2.json'));
  const lost = /trust root 2 {2}missing: the record was signed under version 2, and 1 is the newest here/;
  t.match(await run(['store', 'verify', store.store]), { code: 3, out: lost });
});

t.test('whoever verifies finds what was changed in a record or a version, and what was cut off', async (t) => {
  const store = await openStore(t);
  await publish(store);
  const witness = join(store.root, 'witness.json');
  writeFileSync(witness, JSON.stringify((await store.json<{ record: object }>('ada', ['status'])).record));
  t.match(await store.as('eve', ['verify', '--witness', witness]), { code: 0, out: /Everything holds\.\n$/ });
  await store.stop();
  const copy = join(store.root, 'copy');
  const fresh = (): void => {
    rmSync(copy, { recursive: true, force: true });
    cpSync(store.store, copy, { recursive: true });
  };
  const segment = join(
    copy,
    'record',
    readdirSync(join(store.store, 'record')).find((it) => it.endsWith('.ndjson')) ?? '',
  );
  const change = (file: string, edit: (text: string) => string): void => {
    const before = readFileSync(file, 'utf8');
    const after = edit(before);
    if (after === before) throw new Error(`nothing changes in ${file}`);
    writeFileSync(file, after);
  };
  const bundle = join(copy, 'versions', '1', 'bundle.ndjson');
  const approval = join(copy, 'versions', '1', 'approval.json');
  const cases: [string, () => void, RegExp][] = [
    ['nothing', () => {}, /Everything holds/],
    [
      'an actor',
      () => change(segment, (text) => text.replace('"actor":"ben"', '"actor":"eve"')),
      /record \d+ {2}chain/,
    ],
    ['the last entries', () => change(segment, (text) => `${text.split('\n').slice(0, 2).join('\n')}\n`), /truncated/],
    [
      'documents',
      () => change(bundle, (text) => text.replace('127.0.10.0/24', '127.0.0.0/8')),
      /version 1 {2}documents/,
    ],
    [
      'a signature',
      () => {
        const found = JSON.parse(readFileSync(approval, 'utf8')) as { approval: { signatures: unknown[] } };
        found.approval.signatures.splice(1, 1);
        writeFileSync(approval, JSON.stringify(found));
      },
      /version 1 {2}signature: .*asks for 2 approvers/,
    ],
  ];
  for (const [what, tamper, says] of cases) {
    fresh();
    tamper();
    const said = await run(['store', 'verify', copy, '--pinned-root', store.pinned('eve'), '--witness', witness]);
    t.match(said, { code: what === 'nothing' ? 0 : 3, out: says, err: '' }, what);
  }
  fresh();
  // The whole end rewritten, checkpoint and all: who has seen more knows.
  rmSync(join(copy, 'record', 'checkpoint.json'));
  change(segment, (text) => `${text.split('\n').slice(0, 2).join('\n')}\n`);
  const cut = await run(['store', 'verify', copy, '--witness', witness, '--json']);
  t.match(documentsIn(cut.out), [
    { problems: [{ kind: 'signature' }, { kind: 'truncated', message: /a witness has seen/ }] },
  ]);
  mkdirSync(join(store.root, 'empty'));
  t.match(await run(['store', 'verify', join(store.root, 'empty')]), { code: 78, err: /EDW_ERR_STORE_FOLDER/ });
  writeFileSync(witness, '{}');
  t.match(await run(['store', 'verify', copy, '--witness', witness]), { code: 2, err: /EDW_ERR_WITNESS_FILE/ });
});

t.test('a store that goes back behind what somebody has seen is not believed', async (t) => {
  const store = await openStore(t);
  await publish(store);
  const seen = `${store.pinned('ada')}.seen`;
  await store.as('ada', ['propose', store.policies, '--reason', 'x', '--dry-run']);
  const remembered = JSON.parse(readFileSync(seen, 'utf8')) as { version: { version: number; digest: string } };
  t.equal(remembered.version.version, 1);
  const cases: [string, object, string][] = [
    ['an older version', { version: { version: 2, digest: 'ab'.repeat(32) } }, 'EDW_ERR_STORE_ROLLED_BACK'],
    ['another version of the number', { version: { version: 1, digest: 'ab'.repeat(32) } }, 'EDW_ERR_STORE_TAMPERED'],
    ['an older trust root', { root: { version: 2, digest: 'ab'.repeat(32) } }, 'EDW_ERR_STORE_ROLLED_BACK'],
    ['another trust root', { root: { version: 1, digest: 'ab'.repeat(32) } }, 'EDW_ERR_STORE_TAMPERED'],
  ];
  for (const [what, more, code] of cases) {
    writeFileSync(seen, JSON.stringify({ ...remembered, ...more }));
    const said = await store.as('ada', ['propose', store.policies, '--reason', 'x', '--dry-run']);
    t.match(said, { code: 3, err: new RegExp(`error ${code}: `) }, what);
  }
  writeFileSync(seen, '{');
  t.match(await store.as('ada', ['propose', store.policies, '--reason', 'x', '--dry-run']), {
    code: 78,
    err: /EDW_ERR_STATE_READ/,
  });
});

t.test('log --follow shows what is tried while it looks, and ends with Ctrl-C', async (t) => {
  const store = await openStore(t);
  const following = start(t, ['store', 'log', '--follow', '--profile', store.profile('eve')]);
  let said = '';
  following.child.stdout?.on('data', (piece: string) => {
    said += piece;
  });
  await waitFor(
    () => (said.includes('store.init') ? true : null),
    () => said,
  );
  await store.as('ada', ['propose', store.policies, '--reason', 'CHG-1', '--dry-run']);
  await waitFor(
    () => (said.includes('dry-run  proposal.propose') ? true : null),
    () => said,
  );
  following.child.kill('SIGINT');
  t.match(await following.ended, { code: 0, err: '' });
  await store.stop();
  t.match(await store.as('ada', ['status']), { code: 69, err: /EDW_ERR_STORE_UNREACHABLE/ });
});
