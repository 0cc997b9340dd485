/** What a store says of its points, its roll-out and what waits for somebody; and what a person decides about it. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StoreStatus } from '@edgeward/central-store';
import t, { type Test } from 'tap';
import { openLyingStore } from './fixtures/lying-store.ts';
import { makeStore, type RealStore, serveStore, waitFor } from './fixtures/real-store.ts';
import { examplePolicies, start } from './fixtures/run.ts';

const nowMs = Date.parse('2026-11-22T12:00:00.000Z');
const later = (ms: number): string => new Date(nowMs + ms).toISOString();

type Point = StoreStatus['points'][number];
type Report = Point['reports'][number]['report'];

function point(name: string, report: Partial<Report> | null, heardAgoMs = 5_000): Point {
  const whole: Report = {
    typ: 'edgeward-report/1',
    point: name,
    at: later(-heardAgoMs),
    service: 'site-1',
    epoch: 1,
    revision: 40,
    applied: 40,
    state: 'current',
    nack: null,
    witnessed: null,
    contradicted: false,
    denials: { total: 7, sinceMs: 0 },
    ...report,
  };
  const reports = report === null ? [] : [{ heardAtMs: nowMs - heardAgoMs, report: whole }];
  return { point: name, version: 12, revision: 40, issuedAt: later(-60_000), expiresAt: later(7_200_000), reports };
}

const nack = { revision: 40, stage: 'fence', code: 'EDW_ERR_FENCE_OUTSIDE', message: '10.9.9.9 \x1b[2J' } as const;

const status: StoreStatus = {
  store: 'ab'.repeat(16),
  nowMs,
  root: 3,
  epoch: 1,
  version: 12,
  revision: 40,
  points: [
    point('edge-1', {}),
    point('edge-2', { nack, applied: 39, revision: 39 }),
    point('edge-3', {}, 600_000),
    point('edge-4', null),
    point('edge-5', { contradicted: true }),
  ],
  inventory: {
    workloads: 1_200,
    changes: 3,
    waiting: {
      revision: 1042,
      sinceMs: nowMs - 120_000,
      workloads: ['a', 'b'],
      fault: { state: 'held', losses: [{ point: 'edge-1', object: 'order-front', before: 10, lost: 8, workloads: 2 }] },
    },
    alsoWaiting: [
      {
        revision: 1040,
        sinceMs: nowMs - 180_000,
        workloads: ['c'],
        fault: { state: 'refused', excesses: [{ point: 'edge-2', group: 'g.1', members: 9, max: 8, counted: 'ipv4' }] },
      },
    ],
    error: { code: 'EDW_ERR_STORE_INVENTORY', message: 'half a line', mend: 'Correct it.' },
  },
  refused: [{ point: 'edge-1', group: 'g.0123456789abcdef', members: 300, max: 200, counted: 'workloads' }],
  unwritten: 2,
  behind: 1,
  followUps: [{ version: 11, endsAt: later(-60_000), proposedBy: 'ben', reason: 'INC-7' }],
  record: { size: 4_711, hash: 'cd'.repeat(32) },
  rollout: {
    state: 'halted',
    version: 12,
    startedAt: later(-300_000),
    atOnce: null,
    wave: 1,
    waves: [
      {
        title: "tier == 'canary'",
        points: 2,
        counts: { waiting: 0, same: 0, away: 0, applying: 1, settling: 0, settled: 1 },
        applying: ['edge-2'],
        settling: [],
        away: [],
      },
    ],
    trouble: [{ point: 'edge-2', kind: 'nack', message: 'it refused revision 40' }],
    stopped: { at: later(-60_000), by: 'store', why: 'a point refused it' },
    confirm: { objects: ['order-front'], until: later(600_000), by: null },
    wayBack: { state: 'open', until: later(3_600_000) },
    stayed: [],
    excused: [],
  },
};

/** By type what a store says: a difference stops the build. */
const asStatus = (given: StoreStatus): string => JSON.stringify(given);

async function openStore(t: Test): Promise<RealStore> {
  const folders = await makeStore(t);
  cpSync(join(examplePolicies, 'inventory.yaml'), join(folders.inventory, 'inventory.yaml'));
  cpSync(examplePolicies, folders.policies, { recursive: true });
  const store = await serveStore(t, folders);
  await store.workloads(3);
  return store;
}

interface Proposed {
  proposal: { id: string };
  digest: string;
}

t.test(
  'the status tells what is published, what is not as it should be first, and what waits for somebody',
  async (t) => {
    const store = await openStore(t);
    const lying = await openLyingStore(t, store, { 'GET /v1/status': () => asStatus(status) });
    const { code, out, err } = await lying.ben(['status']);
    t.strictSame([code, err], [0, '']);
    for (const line of [
      'policy     version 12, trust root 3, epoch 1\n',
      'inventory  1,200 workloads\n',
      'roll-out of version 12  halted\n',
      "  1  tier == 'canary': 2 points, 1 applying, 1 settled; waits for edge-2\n",
      '  trouble  edge-2  nack: it refused revision 40\n',
      '  halted at 2026-11-22T11:59:00.000Z by store: a point refused it\n',
      '  enforces order-front for the first time: `edgeward store rollout confirm` until 2026-11-22T12:10:00.000Z, or it goes back\n',
      '  way back until 2026-11-22T13:00:00.000Z\n',
      '5 points, 1 of them current\n',
      'error  edge-2 (site-1)  refuses revision 40 at fence: EDW_ERR_FENCE_OUTSIDE  10.9.9.9 \\x1b[2J\n',
      'error  edge-5 (site-1)  has seen another record of attempts: run `edgeward store verify`\n',
      'held  revision 1042 of the inventory since 2m: order-front at edge-1 loses 8 of 10 members by 2 workloads; `edgeward store accept 1042` lets it through\n',
      'refused  revision 1040 of the inventory since 3m: too many: g.1 at edge-2: 9 ipv4, and 8 are allowed\n',
      'error  EDW_ERR_STORE_INVENTORY  half a line\n    Correct it.\n',
      'refused  edge-1 keeps an older version: g.0123456789abcdef has 300 workloads, and 200 are allowed\n',
      'mirror  2 heads could not be written; look at the disk of the store\n',
      'follow-up  version 11 was break-glass of ben, until 2026-11-22T11:59:00.000Z: INC-7; `edgeward store follow-up close 11` by another approver\n',
    ])
      t.ok(out.includes(line), line.trim());
    t.match(
      out,
      /POINT +STATE +VERSION +HEAD +TAKEN +APPLIED +HEARD +STALE IN +DENIALS\nedge-2 +refuses +12 +40 +39 +39 +5s ago +2h +7\nedge-3 +silent .*\nedge-4 +never heard +12 +40 +- +- +never +2h +-\nedge-5 .*\nedge-1 +current +12 +40 +40 +40 +5s ago +2h +7\n/,
    );
    const json = await lying.ben(['status', '--json']);
    t.strictSame(JSON.parse(json.out), JSON.parse(JSON.stringify(status)), 'JSON is what the store said');
    const dry = await lying.ben(['accept', '1042', '--dry-run']);
    t.match(dry, {
      code: 0,
      out: /^would accept revision 1042 of the inventory since 2m: order-front at edge-1 loses 8 of 10/,
    });
    t.match(await lying.ben(['accept', '1041', '--dry-run']), {
      code: 3,
      err: /EDW_ERR_HELD_OTHER: .*revision 1042 is held/,
    });
    t.strictSame(
      lying.asked.filter((it) => it.startsWith('POST')),
      [],
      'dry runs ask only',
    );
  },
);

t.test('points beyond a screenful are counted, and shown when asked for', async (t) => {
  const store = await openStore(t);
  const points = Array.from({ length: 100 }, (_, i) => point(`edge-${i}`, {}));
  const lying = await openLyingStore(t, store, { 'GET /v1/status': () => asStatus({ ...status, points }) });
  const short = await lying.ben(['status']);
  t.match(short.out, '… and 60 points more; --all shows them\n');
  t.equal((await lying.ben(['status', '--all'])).out.match(/^edge-\d+ +current/gm)?.length, 100);
});

t.test('a person decides about a roll-out, about that of a version where it is named', async (t) => {
  const store = await openStore(t);
  const made = await store.json<Proposed>('ada', ['propose', store.policies, '--reason', 'CHG-1']);
  for (const name of ['ben', 'cyn'] as const) await store.json(name, ['approve', made.digest, '--reason', 'ok']);
  await store.json('ben', ['publish', made.proposal.id]);
  const decide = (name: 'ada' | 'ben', ...args: string[]) => store.as(name, ['rollout', ...args, '--reason', 'INC-7']);
  t.match(await decide('ben', 'halt', '--dry-run'), { code: 0, out: /^would be:\nroll-out of version 1 {2}halted\n/ });
  t.match(await decide('ben', 'resume'), { code: 3, err: /EDW_ERR_ROLLOUT_STATE/ }, 'a dry run halts nothing');
  t.match(await decide('ada', 'halt'), { code: 3, err: /EDW_ERR_STORE_ROLE/ });
  t.match(await decide('ben', 'halt', '7'), { code: 3 }, 'of another version');
  t.match(await decide('ben', 'halt', '1'), {
    code: 0,
    out: /^roll-out of version 1 {2}halted\n[\s\S]*by ben: INC-7\n/,
  });
  t.match(await store.as('ada', ['status']), { out: /roll-out of version 1 {2}halted\n/ });
  t.match(await decide('ben', 'resume', '1', '--json'), { code: 0, out: /^\{"state":"(rolling|done)"/ });
  t.match(await decide('ben', 'stop'), { code: 2, err: /Write halt, resume, confirm, return/ });
});

t.test('an inventory that takes much away waits until somebody accepts it', async (t) => {
  const store = await openStore(t);
  const made = await store.json<Proposed>('ada', ['propose', store.policies, '--reason', 'CHG-1']);
  for (const name of ['ben', 'cyn'] as const) await store.json(name, ['approve', made.digest, '--reason', 'ok']);
  await store.json('ben', ['publish', made.proposal.id]);
  t.match(await store.as('ben', ['accept', '5']), { code: 3, err: /EDW_ERR_NOTHING_HELD/ });
  const file = join(store.inventory, 'inventory.yaml');
  // Two workloads that rules let in become others.
  writeFileSync(
    file,
    readFileSync(file, 'utf8').replaceAll('env: prod', 'env: test').replace('role: bastion', 'role: none'),
  );
  const held = await waitFor(async () => {
    const now = await store.json<StoreStatus>('ben', ['status']);
    return now.inventory.waiting?.revision ?? null;
  }, store.log);
  t.match((await store.as('ben', ['status'])).out, `\`edgeward store accept ${held}\` lets it through\n`);
  t.match(await store.as('ben', ['accept', String(held + 1)]), { code: 3, err: /EDW_ERR_HELD_OTHER/ });
  t.match(await store.as('ada', ['accept', String(held)]), { code: 3, err: /EDW_ERR_STORE_ROLE/ });
  t.match(await store.as('ben', ['accept', String(held)]), { code: 0, out: `accepted revision ${held}\n` });
  t.equal((await store.json<StoreStatus>('ben', ['status'])).inventory.waiting, null);
});

t.test('status --watch tells what changes, and ends with Ctrl-C', async (t) => {
  const store = await openStore(t);
  const watching = start(t, ['store', 'status', '--watch', '--profile', store.profile('ben')]);
  let said = '';
  watching.child.stdout?.on('data', (piece: string) => {
    said += piece;
  });
  await waitFor(
    () => (said.includes('record     entry 1\n') ? true : null),
    () => said,
  );
  await store.as('ada', ['propose', store.policies, '--reason', 'CHG-1', '--dry-run']);
  await waitFor(
    () => (said.includes('record     entry 2\n') ? true : null),
    () => said,
  );
  await store.stop();
  let lost = '';
  watching.child.stderr?.on('data', (piece: string) => {
    lost += piece;
  });
  await waitFor(
    () => (lost.includes('trying again until it answers') ? true : null),
    () => lost,
  );
  watching.child.kill('SIGINT');
  t.match(await watching.ended, { code: 0 });
});
