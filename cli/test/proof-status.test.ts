/** What `edgeward status` says of proofs: how old, how many, and what is wrong with whom. */
import type { PointReport } from '@edgeward/sync-service';
import t from 'tap';
import { run } from './fixtures/run.ts';
import { nowMs, openStatusApi, status } from './fixtures/status-api.ts';

type Proof = PointReport['proofs'][number];

const proof = (object: string, own: Partial<Proof>): Proof => ({
  ...{ object, state: 'proven', why: null, kind: null, flows: ['allow', 'deny'], provenAtMs: nowMs - 12_000 },
  revision: 12,
  ...own,
});
const failed = (object: string): Proof =>
  proof(object, { state: 'failed', kind: 'not-refused', why: 'a request was answered 200, and no hook ran\x1b[2J' });
const stale = proof('a', { state: 'stale', kind: 'no-answer', why: 'no answer', provenAtMs: nowMs - 300_000 });
const unproven = (object: string, why: string): Proof =>
  proof(object, { state: 'unproven', why, provenAtMs: null, flows: [], revision: null });

const cases: [name: string, kind: PointReport['kind'], proofs: Proof[], cell: string, lines: string[]][] = [
  ['all are proven', 'nginx', [proof('a', {}), proof('b', { provenAtMs: nowMs - 41_000 })], '41s ago', []],
  ['there is nothing to prove', 'nginx', [], '-', []],
  [
    'some are not yet',
    'nginx',
    [proof('a', {}), unproven('b', 'not asked yet')],
    '1 of 2',
    ['b  unproven: not asked yet'],
  ],
  [
    'some have failed',
    'nginx',
    [failed('a'), proof('b', {}), failed('c')],
    'FAILED 2 of 3',
    ['a, c  PROOF FAILED: a request'],
  ],
  ['nobody answers', 'nginx', [stale, proof('b', {})], 'stale, 5m ago', ['a  proof is stale: no answer']],
  [
    'many for one reason',
    'nginx',
    ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => unproven(name, 'refused')),
    'unproven',
    ['a, b, c, d, e and 2 more  unproven: refused'],
  ],
  ['off by configuration', 'nginx', [unproven('a', 'off, as edgeward.yaml says')], 'unproven', []],
  ['connections', 'nginx', [unproven('a', 'protocol: tcp, and a connection carries no question')], 'unproven', []],
  ['a BIG-IP', 'bigip', [unproven('a', 'nothing synthetic is sent through a BIG-IP')], 'unproven', []],
];

t.test('the table says how old the proofs of a point are, and lines below what is wrong', async (t) => {
  for (const [name, kind, proofs, cell, lines] of cases) {
    const points = status.points.map((point) => ({ ...point, kind, proofs }));
    const { config } = await openStatusApi(t, { status: () => ({ ...status, points }) });
    const { code, out } = await run(['status', '--config', config]);
    t.equal(code, 0, name);
    t.match(out, new RegExp(` 0 +${cell.replaceAll('-', '\\-')} +17 stored`), name);
    for (const line of lines) t.match(out, line, name);
    t.equal(/proven:|PROOF|stale:/.test(out), lines.length > 0, `${name}: no other line`);
    t.notOk(out.includes('\x1b'), name);
  }
});
