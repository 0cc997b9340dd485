/** Commands that ask a sync service: what they show, and what becomes of every way to get no answer. */
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { dirname, join } from 'node:path';
import type { ServiceStatus } from '@edgeward/sync-service';
import t, { type Test } from 'tap';
import type { ShownStatus } from '../src/service/service-answers.ts';
import { waitFor } from './fixtures/real-store.ts';
import { documentsIn, run, start, textOf } from './fixtures/run.ts';
import { configFor, denial, nowMs, openStatusApi, refuse, status } from './fixtures/status-api.ts';

// What is read here is what the service gives, by type; a difference stops the build.
const shown = (given: ServiceStatus): ShownStatus => given;

t.test('status says first whether anything is enforced, then every point, then what to mend', async (t) => {
  const { config } = await openStatusApi(t, { status: () => shown(status) });
  const { code, out, err } = await run(['status', '--config', config]);
  t.strictSame([code, err], [0, '']);
  const lines = out.split('\n');
  t.equal(lines[0], 'ENFORCING 2 objects, OBSERVING 1 object, a revision is HELD');
  t.match(out, 'policy    revision 12, current, changed 3m ago, from /etc/edgeward/policies\n');
  t.match(out, 'next      a grant or network ends in 1h\n');
  t.match(
    out,
    'held      revision 13 since 1m: order-front loses 80 % of its flows; `edgeward accept 13` lets it through\n',
  );
  t.match(out, /POINT +STATE +DESIRED +APPLIED +SINCE +CHECKED +DRIFT +ENFORCE +OBSERVE +OFF +PROVEN +DENIALS\n/);
  t.match(out, /edge-1 +unreachable +12 +11 +3m ago +5s ago +1 +2 +1 +0 +- +17 stored of 19\n/);
  t.match(out, "/etc/edgeward/policies/shop.yaml:12:7  EDW_ERR_PORT  'x\\x1b[2J' is no port\n    Write tcp/443.\n");
  t.match(out, 'edge-1  EDW_ERR_POINT_UNREACHABLE  connect refused (5s ago)\n    Start NGINX.\n');
});

t.test('status tells what hosts said of themselves, and which are silent', async (t) => {
  const [point] = status.points;
  if (point === undefined) throw new Error('the status has no point');
  const at = '2026-11-22T11:59:00.000Z';
  const report: NonNullable<NonNullable<ServiceStatus['points'][number]['host']>['report']> = {
    ...{ v: 1, agent: '0.1.0\x1b[2J', backend: 'nft', startedAt: at, clock: at, applied: null },
    ...{ state: 'applied', mode: 'enforce', rules: null, nack: null, drift: [], warnings: [] },
    repairs: { count: 3, last: { at, words: 'the jump was gone', process: 'firewalld' } },
    denials: { denied: 40, sampled: 30, notSampled: 10, netlinkDrops: 0, pending: 2, gaps: 1 },
    certificateEnds: at,
  };
  const heard = { heardAtMs: nowMs - 12_000, stale: false, clockSkewMs: -3_400, report };
  const hosts = [
    { ...point, point: 'host-1', kind: 'host' as const, host: heard },
    {
      ...point,
      point: 'host-2',
      kind: 'host' as const,
      host: { heardAtMs: null, stale: false, clockSkewMs: null, report: null },
    },
    { ...point, point: 'host-3', kind: 'host' as const, host: { ...heard, stale: true, clockSkewMs: 500 } },
  ];
  const { config } = await openStatusApi(t, {
    status: () => shown({ ...status, points: [...status.points, ...hosts] }),
  });
  const { out } = await run(['status', '--config', config]);
  t.match(out, /HOST +SAYS +MODE +HEARD +CLOCK +DENIED +WAITING +REPAIRS +RULES +AGENT\n/);
  t.match(
    out,
    /host-1 +applied +enforce +12s ago +-3 s +40 +2 +3, last 1m ago after firewalld +nft +0\.1\.0\\x1b\[2J\n/,
  );
  t.match(out, /host-2 +nothing yet +- +never +- +- +- +- +- +-\n/);
  t.match(out, /host-3 +stale, was applied +enforce +12s ago +same +40 /);
  const without = await openStatusApi(t, { status: () => shown(status) });
  t.notMatch(
    (await run(['status', '--config', without.config])).out,
    /HOST +SAYS/,
    'where there are no hosts, nothing',
  );
});

t.test('status tells of break-glass that is open at a point, by whom and until when', async (t) => {
  const [point] = status.points;
  const breakGlass = {
    ...{ version: 9, endsAt: '2026-11-22T12:30:00.000Z' },
    ...{ proposedBy: 'ben', reason: 'INC-7: \x1b[2J' },
  };
  const base = {
    epoch: 1,
    revision: 12,
    version: 9,
    desiredVersion: 9,
    appliedVersion: 9,
    stale: false,
    contradicted: false,
    lastCheckedAtMs: null,
    nack: null,
  };
  const of = (glass: typeof breakGlass | null): ServiceStatus => ({
    ...status,
    points: point === undefined ? [] : [{ ...point, store: { ...base, breakGlass: glass } }],
  });
  const table: [ServiceStatus, boolean][] = [
    [of(breakGlass), true],
    [of(null), false],
    [status, false],
  ];
  for (const [given, isOpen] of table) {
    const { config } = await openStatusApi(t, { status: () => shown(given) });
    const { out } = await run(['status', '--config', config]);
    const told =
      'warning  edge-1  break-glass: version 9 of ben alone, until 2026-11-22T12:30:00.000Z (30m): INC-7: \\x1b[2J\n';
    t.equal(out.includes(told), isOpen);
    t.equal(out.includes('a grant, network or break-glass ends in 1h\n'), isOpen);
    const json = documentsIn((await run(['status', '--config', config, '--json'])).out);
    t.strictSame(json, [given]);
  }
});

t.test('status tells which version of a store a point holds, and which it is to get', async (t) => {
  const [point] = status.points;
  if (point === undefined) throw new Error('the status has no point');
  const store = {
    ...{ epoch: 1, revision: 12, version: 9, stale: false, contradicted: false },
    ...{ breakGlass: null, lastCheckedAtMs: null, nack: null },
  };
  const table: [number | null, number | null, RegExp][] = [
    [9, 9, /edge-1 +unreachable +9 +12 +11 /],
    [8, 9, /edge-1 +unreachable +8 → 9 +12 +11 /],
    [9, 8, /edge-1 +unreachable +9 → 8 +12 +11 /],
    [null, 9, /edge-1 +unreachable +- → 9 +12 +11 /],
    [null, null, /edge-1 +unreachable +- +12 +11 /],
  ];
  for (const [appliedVersion, desiredVersion, says] of table) {
    const given = { ...status, points: [{ ...point, store: { ...store, appliedVersion, desiredVersion } }] };
    const { config } = await openStatusApi(t, { status: () => shown(given) });
    const { out } = await run(['status', '--config', config]);
    t.match(out, /POINT +STATE +VERSION +DESIRED +APPLIED +SINCE /);
    t.match(out, says);
  }
});

t.test('status --watch prints what changed, and nothing while only time passes', async (t) => {
  let [asked, drift] = [0, 1];
  const [point] = status.points;
  const later = (): ServiceStatus => {
    asked += 1;
    const passed = asked * 1_000;
    const lastError = point?.lastError ? { ...point.lastError, at: nowMs + passed } : null;
    return {
      ...{ ...status, nowMs: nowMs + passed },
      points: point
        ? [{ ...point, lastCheckedAt: nowMs + passed, attempts: asked, lastError, drift: { count: drift, last: null } }]
        : [],
    };
  };
  const { config } = await openStatusApi(t, { status: () => shown(later()) });
  const json = start(t, ['status', '--watch', '--json', '--config', config]);
  const text = start(t, ['status', '--watch', '--config', config]);
  const [inJson, inText] = [textOf(json.child.stdout), textOf(text.child.stdout)];
  await Promise.all([inJson.until('"count":1'), inText.until('edge-1 ')]);
  const from = asked;
  await waitFor(
    () => (asked >= from + 5 ? true : null),
    () => `asked ${asked} times`,
  );
  drift = 2;
  await Promise.all([inJson.until('"count":2'), inText.until('  2      2 ')]);
  for (const { child } of [json, text]) child.kill('SIGINT');
  const [saidInJson, saidInText] = await Promise.all([json.ended, text.ended]);
  t.match(
    [saidInJson, saidInText],
    [
      { code: 0, err: '' },
      { code: 0, err: '' },
    ],
  );
  t.match(documentsIn(saidInJson.out), [{ points: [{ drift: { count: 1 } }] }, { points: [{ drift: { count: 2 } }] }]);
  t.equal(saidInText.out.match(/^ENFORCING /gm)?.length, 2);
});

t.test('status --json passes on what the service said', async (t) => {
  const { config } = await openStatusApi(t, { status: () => ({ ...status, later: 'more' }) });
  const { code, out } = await run(['status', '--config', config, '--json']);
  t.equal(code, 0);
  t.strictSame(documentsIn(out), [{ ...status, later: 'more' }]);
});

t.test('accept names the revision, and what the service refuses ends with 3', async (t) => {
  const api = await openStatusApi(t, {
    status: () => status,
    accept: (revision) => (revision === 13 ? { accepted: 13 } : refuse('EDW_ERR_HELD_OTHER', '13 is held')),
  });
  const cases: [string[], number, RegExp][] = [
    [['13'], 0, /^accepted revision 13\n$/],
    [['13', '--dry-run'], 0, /^would accept revision 13 since 1m: order-front loses 80 %/],
    [['12'], 3, /^error EDW_ERR_HELD_OTHER: 13 is held\n {2}Do something else\.\n$/],
    [['12', '--dry-run'], 3, /^error EDW_ERR_HELD_OTHER: /],
  ];
  for (const [args, exit, says] of cases) {
    const { code, out, err } = await run(['accept', ...args, '--config', api.config]);
    t.equal(code, exit, args.join(' '));
    t.match(out + err, says, args.join(' '));
  }
  t.strictSame(
    api.asked.filter((it) => it.startsWith('POST')),
    ['POST /v1/accept', 'POST /v1/accept'],
    'dry runs ask only',
  );
});

t.test('nothing held is a finding, in earnest and in a dry run', async (t) => {
  const { config } = await openStatusApi(t, {
    status: () => ({ ...status, policy: { ...status.policy, held: null } }),
    accept: () => refuse('EDW_ERR_NOTHING_HELD', 'no revision is held'),
  });
  for (const args of [['13'], ['13', '--dry-run']]) {
    t.match(await run(['accept', ...args, '--config', config]), { code: 3, err: /EDW_ERR_NOTHING_HELD/ });
  }
});

t.test('why leads from the reference to the condition that failed', async (t) => {
  const event = denial();
  const now = {
    verdict: 'allow',
    reason: 'allowed-by-rule',
    rule: 'r',
    revision: 13,
    words: 'ALLOW 10.1.2.3 → order-front',
  };
  const api = await openStatusApi(t, {
    why: (ref) =>
      ref === event.ref
        ? { event, nearestRule: event.nearestRule, missed: event.missed, judgedAt: 12, now }
        : refuse('EDW_ERR_UNKNOWN_REFERENCE', 'no such denial'),
  });
  const { code, out } = await run(['why', ' 7f3k9q2m', '--config', api.config]);
  t.equal(code, 0);
  t.match(out, / DENY edge-1 10\.1\.2\.3\(app=web,env=dev\) → order-front /);
  t.match(out, "  nearest  crm-orders\n  missed   source: needs env == 'prod', has 'dev'\n");
  t.match(out, '  now      ALLOW 10.1.2.3 → order-front (revision 13)\n');
  t.match(await run(['why', '../status', '--config', api.config]), { code: 3, err: /EDW_ERR_UNKNOWN_REFERENCE/ });
  t.equal(
    api.asked.at(-1),
    'GET /v1/why/..%2fstatus'.replace('%2f', '%2F'),
    'a reference stays one segment of the path',
  );
  const json = documentsIn((await run(['why', '7f3k9q2m', '--config', api.config, '--json'])).out);
  t.match(json, [{ event: { ref: '7f3k9q2m' }, judgedAt: 12 }]);
});

t.test('status adds up what a host stored and what it counted alone', async (t) => {
  const [point] = status.points;
  const denials = { stored: 17, uncovered: { netlink: 1, 'not-sampled': 100 }, counted: 119 };
  const { config } = await openStatusApi(t, {
    status: () => ({ ...status, points: [{ ...point, point: 'host-1', denials }] }),
  });
  t.match((await run(['status', '--config', config])).out, '17 stored, 101 counted alone, of 119\n');
});

t.test('every way to get no answer has its code and its exit', async (t) => {
  const api = await openStatusApi(t, { status: () => refuse('EDW_ERR_NOT_READY', 'starting') });
  const closed = await openStatusApi(t, {});
  await closed.close();
  const html = await listenPlain(t, (_request, response) => response.end('<html>'));
  const wrong = await openStatusApi(t, { status: () => ({ headline: 7 }) });
  const unclean = await openStatusApi(t, { status: () => status });
  chmodSync(join(dirname(unclean.config), 'state', 'api-token'), 0o644);
  const cases: [string, string, number, string][] = [
    ['busy', api.config, 75, 'EDW_ERR_SERVICE_BUSY'],
    ['nobody there', closed.config, 69, 'EDW_ERR_SERVICE_UNREACHABLE'],
    ['never started', configFor(t, 1, null), 69, 'EDW_ERR_SERVICE_UNREACHABLE'],
    ['somebody else', configFor(t, html), 69, 'EDW_ERR_SERVICE_ANSWER'],
    ['another version', wrong.config, 69, 'EDW_ERR_SERVICE_ANSWER'],
    ['the wrong token', configFor(t, api.port, 'wrong'), 78, 'EDW_ERR_HTTP_TOKEN'],
    ['a token for everybody', unclean.config, 78, 'EDW_ERR_SECRET_FILE'],
    ['no configuration', '/nowhere/edgeward.yaml', 78, 'EDW_ERR_CONFIG_FILE'],
  ];
  for (const [name, config, exit, code] of cases) {
    const said = await run(['status', '--config', config]);
    t.equal(said.code, exit, name);
    t.match(said.err, new RegExp(`^error ${code}: .+\n {2}.+`), name);
    const json = await run(['status', '--config', config, '--json']);
    t.match([json.code, documentsIn(json.out)], [exit, [{ error: { code } }]], name);
  }
});

t.test('no answer in time ends with 4', async (t) => {
  const silent = createTcpServer(() => {});
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const config = configFor(t, (silent.address() as AddressInfo).port);
  const { child, ended } = start(t, ['status', '--config', config, '--timeout', '50ms']);
  t.match(await ended, { code: 4, out: '', err: /^error EDW_ERR_TIMEOUT: .* no answer within 50 ms/ });
  t.ok(child.exitCode === 4);
});

async function listenPlain(t: Test, handle: Parameters<typeof createServer>[1]): Promise<number> {
  const server = createServer(handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}
