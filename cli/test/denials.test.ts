/** `edgeward denials` against an API with answers that a test chooses: what is asked, what is shown, and what goes on. */
import t from 'tap';
import { documentsIn, run, start, textOf } from './fixtures/run.ts';
import { denial, openStatusApi } from './fixtures/status-api.ts';

t.test('denials asks for what was asked and prints them oldest first', async (t) => {
  const api = await openStatusApi(t, {
    denials: () => ({ denials: [denial({ path: '/1' }), denial({ id: 2, path: '/2' })], after: 2 }),
  });
  const filters = ['--point', 'edge-1', '--object', 'o&x', '--source', '10.1.2.3', '--limit', '7'];
  const { code, out } = await run(['denials', ...filters, '--config', api.config]);
  t.equal(code, 0);
  t.match(out, / \/1 [\s\S]*\n[\s\S]* \/2 [\s\S]*\n$/);
  t.strictSame(api.asked, ['GET /v1/denials?point=edge-1&object=o%26x&source=10.1.2.3&limit=7']);
  const json = await run(['denials', '--json', '--config', api.config]);
  t.strictSame(documentsIn(json.out), [denial({ path: '/1' }), denial({ id: 2, path: '/2' })]);
});

t.test('denials says what was counted and has no record, beside the answer', async (t) => {
  const uncovered = [
    { point: 'host-1', cause: 'netlink', count: 7 },
    { point: 'host-1', cause: 'not-sampled', count: 120 },
    { point: 'host-2', cause: 'spool-full', count: 1 },
  ];
  const { config } = await openStatusApi(t, { denials: () => ({ denials: [denial()], uncovered, after: 1 }) });
  const said = await run(['denials', '--config', config]);
  const lines = [
    'host-1: 127 more were counted and have no record (netlink 7, not-sampled 120)\n',
    'host-2: 1 more were counted and have no record (spool-full 1)\n',
  ];
  t.match(said, { code: 0, err: lines.join('') });
  const json = await run(['denials', '--json', '--config', config]);
  t.match(json, { code: 0, err: lines.join('') });
  t.strictSame(documentsIn(json.out), [denial()], 'its lines are denials');
  const filtered = await run(['denials', '--source', '10.1.2.3', '--config', config]);
  t.match(filtered, { code: 0, err: '' }, 'nobody knows whose they are');
});

t.test('denials --since reads page after page until there is no more', async (t) => {
  const all = Array.from({ length: 2_500 }, (_, i) => denial({ id: i + 1, path: `/${i + 1}` }));
  const { config, asked } = await openStatusApi(t, {
    denials: (query) => {
      const from = Number(query.get('cursor') ?? 0);
      const page = all.slice(from, from + Number(query.get('limit')));
      const next = from + page.length;
      return { denials: page, after: next, cursor: next < all.length ? String(next) : null, cutShort: false };
    },
  });
  const { code, out } = await run(['denials', '--since', '1h', '--json', '--config', config]);
  t.equal(code, 0);
  t.strictSame(documentsIn(out), all);
  t.equal(asked.length, 3);
  t.match(asked[0], /sinceMs=\d{13}&limit=1000$/);
});

t.test('--follow shows what comes, waits while the service is away, and ends on Ctrl-C with 0', async (t) => {
  const stored = [denial({ path: '/old' })];
  const denials = (query: URLSearchParams): unknown => {
    const after = Number(query.get('after') ?? 0);
    const page = stored.filter(({ id }) => id > after);
    return { denials: page, after: page.at(-1)?.id ?? after };
  };
  const first = await openStatusApi(t, { denials });
  const { child, ended } = start(t, ['denials', '--follow', '--config', first.config]);
  const [out, err] = [textOf(child.stdout), textOf(child.stderr)];
  await out.until('/old');
  stored.push(...Array.from({ length: 5 }, (_, i) => denial({ id: i + 2, path: '/new' })));
  await out.until('/new');
  await first.close();
  await err.until('trying again until it answers\n');
  stored.push(denial({ id: 7, path: '/after-restart' }));
  await openStatusApi(t, { denials }, first.port);
  await out.until('/after-restart');
  child.kill('SIGINT');
  const said = await ended;
  t.equal(said.code, 0);
  t.equal(said.err.split('\n').length, 2, 'the absence is told once');
  t.match(said.out, / \/new [^\n]*\n/);
  t.match(said.out, / \/new [^\n]* ×4 since (2026-11-22 )?11:59:39 /, 'repeats are counted, at the latest at the end');
});

t.test('--follow --json folds nothing', async (t) => {
  let asked = 0;
  const { config } = await openStatusApi(t, {
    denials: () => {
      asked += 1;
      return { denials: asked === 1 ? [denial(), denial({ id: 2 }), denial({ id: 3 })] : [], after: 3 };
    },
  });
  const { child, ended } = start(t, ['denials', '--follow', '--json', '--config', config]);
  await textOf(child.stdout).until('"id":3');
  child.kill('SIGTERM');
  const { code, out } = await ended;
  t.equal(code, 0);
  t.equal(documentsIn(out).length, 3);
});

t.test('--follow ends with what was denied meanwhile, and what is known by number alone', async (t) => {
  const stored = [denial({ path: '/before' })];
  const asked: URLSearchParams[] = [];
  const { config } = await openStatusApi(t, {
    denials: (query) => {
      asked.push(query);
      const after = Number(query.get('after') ?? 0);
      const page = stored.filter(({ id }) => id > after);
      const uncovered = query.has('after') ? [] : [{ point: 'host-1', cause: 'netlink', count: 7 }];
      return { denials: page, uncovered, after: stored.length, cursor: null, cutShort: false };
    },
  });
  const { child, ended } = start(t, ['denials', '--follow', '--config', config]);
  const out = textOf(child.stdout);
  await out.until('/before');
  stored.push(
    denial({ id: 2, path: '/a', count: 1_000, ref: null }),
    denial({ id: 3, path: '/b', verdict: 'would-deny', object: 'reports', source: '10.9.9.9', sourceLabels: {} }),
    denial({ id: 4, path: '/c', reason: 'denied-by-rule', rule: 'no-bots', source: '10.9.9.9', sourceLabels: {} }),
  );
  await out.until('/c');
  child.kill('SIGINT');
  const said = await ended;
  t.equal(said.code, 0);
  const [, summary = ''] = said.out.split('\nwatched for ');
  t.match(summary, /^\d+s: 1,002 denials in 3 records, 1 of them would deny \(observe: passes\)\n/);
  t.equal(
    summary.replace(/^.*\n/, ''),
    [
      '  reasons  unknown-source 1,001, denied-by-rule 1',
      '  rules    no-bots 1',
      '  objects  order-front 1,001, reports 1',
      '  sources  10.1.2.3(app=web,env=dev) 1,000, 10.9.9.9(web-1) 2',
      'host-1: 7 more were counted and have no record (netlink 7)\n',
    ].join('\n'),
  );
  t.ok(Number(asked.at(-1)?.get('sinceMs')) > Date.now() - 60_000, 'since it was begun');
});

t.test('options that contradict each other, or mean nothing, are a wrong command line', async (t) => {
  const cases: [string[], RegExp][] = [
    [['--json', '--csv'], /--json and --csv can't be given together/],
    [['--follow', '--until', '1m'], /--follow and --until/],
    [['--since', '1m', '--limit', '3'], /--limit and --since/],
    [['--since', 'yesterday'], /--since: 'yesterday' is no time/],
    [['--until', '2026-13-01T00:00:00Z'], /--until: '2026-13-01T00:00:00Z' is no time/],
    [['--url', 'http://127.0.0.1:1'], /--url and --token-file are given together/],
    [['--token-file', 'x'], /--url and --token-file are given together/],
    [['--url', 'http://127.0.0.1:1', '--token-file', 'x', '--config', 'y'], /--url and --config/],
    [['--url', 'http://collector.example:1', '--token-file', 'x'], /names no daemon of this machine/],
    [['--url', 'https://127.0.0.1:1', '--token-file', 'x'], /names no daemon of this machine/],
    [['--url', 'http://127.0.0.1:1/v1', '--token-file', 'x'], /names no daemon of this machine/],
    [['--url', '127.0.0.1:1', '--token-file', 'x'], /names no daemon of this machine/],
  ];
  for (const [args, says] of cases) {
    const { code, out, err } = await run(['denials', ...args]);
    t.equal(code, 2, args.join(' '));
    t.match(out + err, says, args.join(' '));
  }
});
