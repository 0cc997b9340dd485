/** Denials for a person: one line each, nothing hostile in it, and none ever lost in a fold. */
import t from 'tap';
import { createPaint } from '../src/frame/terminal-text.ts';
import { createDenialFold } from '../src/service/denial-fold.ts';
import { denialLine, type ShownDenial, shownAlone } from '../src/service/denial-line.ts';
import { denial, nowMs } from './fixtures/status-api.ts';

const plain = createPaint(false);
const line = (more: Parameters<typeof denial>[0] = {}, count = 1, since: string | null = null): string =>
  denialLine({ denial: denial(more), count, since }, nowMs, plain);

t.test('a denial is one line with everything that on-call asks for', async (t) => {
  const near = "; nearest crm-orders: source: needs env == 'prod', has 'dev'";
  const who = '10.1.2.3(app=web,env=dev)';
  const cases: [string, string, string][] = [
    [
      'a denial',
      line(),
      `11:59:39 DENY edge-1 ${who} → order-front tcp/443 GET /v1/x  unknown-source${near}  ref 7f3k9q2m\n`,
    ],
    [
      'an object in observe',
      line({ verdict: 'would-deny' }),
      `11:59:39 WOULD DENY (observe: passes) edge-1 ${who} → order-front tcp/443 GET /v1/x  unknown-source${near}  ref 7f3k9q2m\n`,
    ],
    [
      'a connection from nobody',
      line({
        method: null,
        path: null,
        sourceLabels: {},
        sourceWorkloads: [],
        nearestRule: null,
        missed: null,
        ref: null,
      }),
      '11:59:39 DENY edge-1 10.1.2.3 → order-front tcp/443  unknown-source  ref @1\n',
    ],
    [
      'a network, a deny rule, another day',
      line({
        time: '2026-11-21T23:59:59.999Z',
        sourceLabels: {},
        sourceWorkloads: [],
        sourceNetworks: ['branch-offices'],
        reason: 'denied-by-rule',
        rule: 'no-exports',
        nearestRule: null,
        missed: null,
      }),
      '2026-11-21 23:59:59 DENY edge-1 10.1.2.3(branch-offices) → order-front tcp/443 GET /v1/x  denied-by-rule no-exports  ref 7f3k9q2m\n',
    ],
    [
      'a source without an address',
      line({ source: '', sourceLabels: {}, sourceWorkloads: [], nearestRule: null, missed: null }),
      '11:59:39 DENY edge-1 - → order-front tcp/443 GET /v1/x  unknown-source  ref 7f3k9q2m\n',
    ],
    [
      'several in one',
      line({ nearestRule: null, missed: null }, 37, '2026-11-22T11:59:30.000Z'),
      `11:59:39 DENY edge-1 ${who} → order-front tcp/443 GET /v1/x  unknown-source  ×37 since 11:59:30  ref 7f3k9q2m\n`,
    ],
  ];
  for (const [name, text, expected] of cases) t.equal(text, expected, name);
});

t.test('what a host added up says how many and since when, alone and folded with more of it', async (t) => {
  const window = (start: number, count: number): ReturnType<typeof denial> =>
    denial({
      ...{ id: start, ref: null, method: null, path: null, nearestRule: null, missed: null, count },
      windowStart: `2026-11-22T11:59:${start}.000Z`,
      time: `2026-11-22T11:59:${start + 9}.000Z`,
    });
  const text = (shown: ShownDenial): string => denialLine(shown, nowMs, plain).replace(/^(\S+) .*unknown-source/, '$1');
  t.equal(text(shownAlone(window(10, 12))), '11:59:19  ×12 since 11:59:10  ref @10\n');
  t.equal(text(shownAlone(window(10, 1))), '11:59:19  ref @10\n');
  const fold = createDenialFold(3, 5_000);
  t.strictSame(fold.add([window(10, 12)], 0).map(text), ['11:59:19  ×12 since 11:59:10  ref @10\n']);
  t.strictSame(fold.add([window(20, 5), window(30, 6)], 0), []);
  t.strictSame(fold.rest().map(text), ['11:59:39  ×11 since 11:59:20  ref @30\n']);
  fold.add([window(40, 7)], 0);
  t.strictSame(fold.rest().map(text), ['11:59:49  ×7 since 11:59:40  ref @40\n']);
});

t.test('whatever a client sent, its line is one line and obeys nobody', async (t) => {
  const hostile = '/\x1b[2J\x1b]0;x\x07\r\n11:00:00 DENY\u202e\u0085\u2028';
  for (const field of ['method', 'path', 'object', 'source', 'ref', 'rule', 'missed', 'point'] as const) {
    const text = line({ [field]: hostile });
    t.match(text, /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+\n$/u, field);
    t.match(text, '\\x1b[2J', field);
  }
  t.match(line({ sourceLabels: { [hostile]: hostile } }), /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+\n$/u);
});

t.test('equal denials on one screen are counted, and every one is in exactly one line', async (t) => {
  const fold = createDenialFold(3, 5_000);
  const shown: [string | null, number][] = [];
  const see = (lines: ReturnType<typeof fold.rest>): void => {
    for (const { denial, count } of lines) shown.push([denial.path, count]);
  };
  let given = 0;
  const add = (path: string, atMs: number, count = 1): void => {
    given += count;
    see(fold.add([denial({ path, ref: `r${given}`, id: given, count })], atMs));
  };
  for (let i = 0; i < 10; i += 1) add('/a', 0);
  t.strictSame(shown, [['/a', 1]], 'the first at once');
  see(fold.due(4_999));
  t.equal(shown.length, 1, 'the others wait');
  see(fold.due(5_000));
  t.strictSame(shown.at(-1), ['/a', 9]);
  add('/a', 6_000);
  for (const path of ['/b', '/c', '/d']) add(path, 6_000);
  t.strictSame(shown.slice(2), [
    ['/b', 1],
    ['/c', 1],
    ['/d', 1],
  ]);
  see(fold.due(6_001));
  t.strictSame(shown.at(-1), ['/a', 1], 'what left the screen is shown again at once');
  add('/a', 7_000, 4);
  see(fold.rest());
  t.strictSame(shown.at(-1), ['/a', 4], 'and the rest at the end');
  t.equal(
    shown.reduce((sum, [, count]) => sum + count, 0),
    given,
    'none is lost',
  );
  t.strictSame(fold.rest(), []);
});

t.test('what differs for a reader is not folded', async (t) => {
  const fold = createDenialFold(24, 5_000);
  const differing = [
    {},
    { path: '/y' },
    { source: '10.1.2.4' },
    { verdict: 'would-deny' as const },
    { rule: 'x' },
    { revision: 13 },
  ];
  t.equal(
    fold.add(
      differing.map((more) => denial(more)),
      0,
    ).length,
    differing.length,
  );
  t.equal(
    fold.add([denial({ ref: 'other', time: '2026-11-22T11:59:40.000Z', id: 9, sourcePort: 41_000 })], 0).length,
    0,
  );
});
