import t from 'tap';
import { kindAtPath, kindOf, knownKinds } from '../../src/config/kinds.ts';

t.test('every kind has its path and its names', async (t) => {
  t.match(kindOf('ltm data-group internal'), {
    path: 'tm/ltm/data-group/internal',
    state: 'tm:ltm:data-group:internal:internalstate',
    collection: 'tm:ltm:data-group:internal:internalcollectionstate',
    title: 'value list',
  });
  t.match(
    kindOf('sys log-config destination remote-high-speed-log').state,
    /remote-high-speed-log:remote-high-speed-logstate$/,
  );
  t.match(kindOf('ltm pool').subcollections, [
    { state: 'tm:ltm:pool:members:membersstate', collection: 'tm:ltm:pool:members:memberscollectionstate' },
  ]);
  t.match(kindOf('gtm wideip a'), { path: 'tm/gtm/wideip/a', state: 'tm:gtm:wideip:a:astate', naming: 'object' });
});

t.test('a path is a kind and what follows it', async (t) => {
  const table: [string, string | null, string[]][] = [
    ...knownKinds.map(({ kind, path }): [string, string, string[]] => [`${path}/~Common~x`, kind, ['~Common~x']]),
    ['tm/ltm/pool/~Common~p/members/~Common~1.1.1.1:80', 'ltm pool', ['~Common~p', 'members', '~Common~1.1.1.1:80']],
    ['tm/ltm/rule/x', 'ltm rule', ['x']],
    ['tm/ltm/rule', 'ltm rule', []],
    ['tm/gtm/wideip/a/~Common~w', 'gtm wideip a', ['~Common~w']],
    ['tm/gtm/wideip/a', 'gtm wideip a', []],
    ['tm/ltm', null, []],
    ['shared/authn/login', null, []],
  ];
  for (const [path, kind, rest] of table) {
    const found = kindAtPath(path);
    t.equal(found?.description.kind ?? null, kind, path);
    if (found !== null) t.strictSame(found.rest, rest, path);
  }
});
