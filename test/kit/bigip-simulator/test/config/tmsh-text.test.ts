import t from 'tap';
import { box, create, INTERNAL, outcome } from './fixtures/box.ts';

const CONF = `#TMSH-VERSION: 17.1.2

# a comment with { a brace
ltm data-group external /Common/unused-kind-order { external-file-name /Common/f }
ltm data-group internal /P/map {
    description 007
    records {
        "a key" {
            data "x \\"y\\" { \\\\ }"
        }
        10.0.0.1 { data 5 }
        \\"/owa\\" { }
        bare { }
    }
    type string
}
ltm pool /P/web {
    members {
        /P/10.0.0.1:http {
            address 10.0.0.1
            session monitor-enabled
        }
    }
    monitor min 1 of { /Common/tcp /Common/http }
}
ltm rule /P/r {
# when it { is odd }
when CLIENT_ACCEPTED {
    log local0. "\\{ {}"
}
}
ltm virtual /P/vs {
    destination /P/10.0.0.5:https
    ip-protocol tcp
    pool /P/web
    profiles {
        /Common/tcp { }
        /Common/clientssl {
            context clientside
        }
    }
    rules { /P/r }
    vlans-enabled
    vlans { /Common/a /Common/b }
}
auth partition P { }
auth user admin {
    shell bash
}
sys dns { name-servers { 10.0.0.2 10.0.0.3 } }
sys file data-group /Common/f {
    separator ":="
    source-path file:/var/config/rest/downloads/f
    type ip
}
`;

t.test('a configuration file is read, whatever the order of its kinds', async (t) => {
  const config = box();
  config.uploads.set('f', Buffer.from('host 1.1.1.1,\n'));
  config.merge(CONF);
  t.strictSame(config.get(INTERNAL, '/P/map')?.properties, {
    type: 'string',
    description: '007',
    records: [
      { name: '"/owa"', data: '' },
      { name: '10.0.0.1', data: '5' },
      { name: 'a key', data: 'x "y" { \\ }' },
      { name: 'bare', data: '' },
    ],
  });
  t.match(config.get('ltm pool', '/P/web')?.properties, {
    members: [{ fullPath: '/P/10.0.0.1:80', session: 'monitor-enabled', ratio: 1 }],
    monitor: 'min 1 of { /Common/tcp /Common/http }',
  });
  t.equal(
    config.get('ltm rule', '/P/r')?.properties.apiAnonymous,
    '# when it { is odd }\nwhen CLIENT_ACCEPTED {\n    log local0. "\\{ {}"\n}',
  );
  t.match(config.get('ltm virtual', '/P/vs')?.properties, {
    destination: '/P/10.0.0.5:443',
    rules: ['/P/r'],
    vlansEnabled: true,
    vlansDisabled: undefined,
    vlans: ['/Common/a', '/Common/b'],
    profiles: [{ fullPath: '/Common/clientssl' }, { fullPath: '/Common/tcp', context: 'all' }],
  });
  t.strictSame(config.get('auth user', 'admin')?.properties, { shell: 'bash' });
  t.ok(config.get('sys dns', ''));
});

t.test('errors name the line, and nothing is applied', async (t) => {
  const config = box();
  const before = config.text();
  const table: [string, RegExp][] = [
    ['ltm pool /Common/a { }\nltm pool /Common/b {\n', /line: 2\) missing closing brace/],
    ['\n\nltm pool', /line: 3\) missing "\{"/],
    ['ltm pool { }', /line: 1\) a name is missing/],
    ['ltm pool /Common/a { }\n}', /line: 2\) unexpected "\}"/],
    ['ltm pool /Common/a {\n description "x\n}\n', /line: 2\) missing closing quote/],
    ['ltm rule /Common/r {\nwhen X {\n', /line: 1\) missing closing brace/],
    ['ltm pool /Common/a { }\nltm pool /Common/a { }', /line: 2\) .*already defined in line 1/],
    ['ltm pool /Common/a {\n { }\n}', /line: 2\) a name is missing/],
    ['{ }', /line: 1\)/],
    [`ltm pool /Common/a ${'{ b '.repeat(100_000)}`, /nested too deeply/],
  ];
  for (const [text, expect] of table) {
    const said = outcome(() => config.merge(text));
    t.match(said, expect, text.slice(0, 40));
    t.match(said, /^400 Syntax Error/);
  }
  t.match(
    outcome(() => config.merge('ltm pool /Common/a { }\nltm pool /Nowhere/b { }')),
    /^404 .*folder \(\/Nowhere\)/,
  );
  t.equal(config.text(), before);
});

t.test('a merge creates what is not there and modifies what is; named parts are added, lists replaced', async (t) => {
  const config = box();
  config.apply([
    create(INTERNAL, { name: 'g', type: 'string', description: 'kept', records: [{ name: 'a', data: '1' }, 'b'] }),
    create('ltm pool', { name: 'p', members: ['10.0.0.1:80'] }),
  ]);
  config.merge(`
    ltm data-group internal /Common/g { type string records { a { data 2 } c { } } }
    ltm pool /Common/p { members { 10.0.0.1:81 { session user-disabled description x } } }
    ltm pool /Common/q { }`);
  t.match(config.get(INTERNAL, '/Common/g')?.properties, {
    description: 'kept',
    records: [{ name: 'a', data: '2' }, { name: 'b' }, { name: 'c' }],
  });
  t.match(config.get('ltm pool', '/Common/p')?.properties.members, [
    { name: '10.0.0.1:80' },
    { name: '10.0.0.1:81', session: 'user-disabled', description: 'x' },
  ]);
  t.ok(config.get('ltm pool', '/Common/q'));
});

t.test('a merge may say the type again on a box that refuses it over REST', async (t) => {
  const config = box('13.1.3');
  config.merge('ltm data-group internal /Common/g {\n type ip\n}');
  t.equal(
    outcome(() => config.merge('ltm data-group internal /Common/g {\n type ip\n}')),
    'done',
  );
});

t.test('verify changes nothing and says what a merge would', async (t) => {
  const config = box();
  const before = config.text();
  config.merge('ltm pool /Common/p { }', { verify: true });
  t.equal(config.text(), before);
  t.match(
    outcome(() => config.merge('ltm rule /Common/r {\nbad\n}', { verify: true })),
    /^400 01070151/,
  );
});
