import t from 'tap';
import { canonicalAddress, canonicalRecords, recordsOf, sameObject, sameRecords } from '../../driver/icontrol/index.ts';

t.test('an address has one form, however a person or a box writes it', async (t) => {
  for (const [written, canonical] of [
    ['10.1.2.3', '10.1.2.3/32'],
    ['10.1.2.3/32', '10.1.2.3/32'],
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['10.0.0.0%11/8', '10.0.0.0%11/8'],
    ['10.0.0.0/8%11', '10.0.0.0%11/8'],
    ['10.0.0.1%11', '10.0.0.1%11/32'],
    ['10.0.0.0%0/8', '10.0.0.0/8'],
    ['2A02:0:0::', '2a02::/128'],
    ['2001:DB8:0:0:1:0:0:1/64', '2001:db8::1:0:0:1/64'],
    ['2001:db8:0:0:0:0:0:0%7/32', '2001:db8::%7/32'],
    ['::/0', '::/0'],
    ['::ffff:10.1.2.3', '::ffff:10.1.2.3/128'],
    ['::FFFF:0a01:0203/120', '::ffff:10.1.2.3/120'],
    [' 10.0.0.1 ', '10.0.0.1/32'],
  ] as const) {
    t.equal(canonicalAddress(written), canonical, written);
    t.equal(canonicalAddress(canonical), canonical, `${canonical} again`);
  }
});

t.test('what is no address stays as it is', async (t) => {
  for (const text of ['', 'any', '010.0.0.1', '10.0.0', '10.0.0.1%x', 'fe80::1%eth0', '1.2.3.4/33x', '$(id)']) {
    t.equal(canonicalAddress(text), text);
  }
});

t.test('records are canonical: sorted, addresses in one form, absent data empty, absent records none', async (t) => {
  t.strictSame(
    canonicalRecords('ip', [{ name: '2A02::', data: 'b' }, { name: '10.0.0.1' }, { name: '10.0.0.0/8', data: '' }]),
    [
      { name: '10.0.0.0/8', data: '' },
      { name: '10.0.0.1/32', data: '' },
      { name: '2a02::/128', data: 'b' },
    ],
  );
  t.strictSame(canonicalRecords('integer', [{ name: 10 }, { name: '007', data: 1 }]), [
    { name: '10', data: '' },
    { name: '7', data: '1' },
  ]);
  t.strictSame(canonicalRecords('string', [{ name: '10.0.0.1' }]), [{ name: '10.0.0.1', data: '' }], 'no address here');
  for (const none of [undefined, null, [], {}, 'records', 7]) t.strictSame(canonicalRecords('ip', none), []);
  t.strictSame(recordsOf({ type: 'ip' }), []);
  t.strictSame(recordsOf({ type: 'ip', records: [{ name: '10.0.0.1' }, null, 'x'] }), [
    { name: '10.0.0.1/32', data: '' },
  ]);
  t.ok(sameRecords('ip', [{ name: '::1', data: '' }], [{ name: '0::1/128' }]));
  t.notOk(sameRecords('ip', [{ name: '::1', data: '' }], []));
});

const group = {
  name: 'g',
  partition: 'Edgeward',
  type: 'ip',
  records: [{ name: '10.0.0.2', data: 'x' }, { name: '10.0.0.1' }],
};
const shown = {
  kind: 'tm:ltm:data-group:internal:internalstate',
  name: 'g',
  partition: 'Edgeward',
  fullPath: '/Edgeward/g',
  generation: 7,
  type: 'ip',
  records: [
    { name: '10.0.0.1/32', data: '' },
    { name: '10.0.0.2/32', data: 'x' },
  ],
};

t.test('an object is the same if it has what was asked, in whatever form', async (t) => {
  const rule = { fullPath: '/Edgeward/r', apiAnonymous: 'when HTTP_REQUEST {}' };
  const pool = {
    name: 'p',
    membersReference: {
      items: [
        { name: '10.0.0.2:514', ratio: 1 },
        { name: '10.0.0.1:514', ratio: 1 },
      ],
    },
  };
  const virtual = { rules: ['/Edgeward/a', '/Common/b'], profilesReference: { items: [{ fullPath: '/Common/tcp' }] } };
  for (const [name, asked, found, same] of [
    ['normalised records in another order', group, shown, true],
    ['other data', { ...group, records: [{ name: '10.0.0.2', data: 'y' }, { name: '10.0.0.1' }] }, shown, false],
    ['a record more', { ...group, records: [...group.records, { name: '10.0.0.3' }] }, shown, false],
    ['a record less', { ...group, records: group.records.slice(1) }, shown, false],
    ['records alone, the type known by the box', { records: group.records }, shown, true],
    ['empty records where none are shown', { records: [] }, { type: 'ip' }, true],
    ['records where none are shown', { records: group.records }, { type: 'ip' }, false],
    ['no records where some are shown', { records: [] }, shown, false],
    ['another type', { ...group, type: 'string' }, shown, false],
    ['an empty description', { description: '' }, {}, true],
    ['a description that is gone', { description: 'x' }, {}, false],
    ['a full path for a name', { name: '/Edgeward/g' }, shown, true],
    ['another full path', { name: '/Common/g' }, shown, false],
    ['a rule, trimmed by the box', { apiAnonymous: '\n when HTTP_REQUEST {}\n' }, rule, true],
    ['another rule', { apiAnonymous: 'when CLIENT_ACCEPTED {}' }, rule, false],
    ['rules in order', { rules: ['/Edgeward/a', '/Common/b'] }, virtual, true],
    ['rules in another order', { rules: ['/Common/b', '/Edgeward/a'] }, virtual, false],
    ['one rule less', { rules: ['/Edgeward/a'] }, virtual, false],
    ['profiles by name', { profiles: ['/Common/tcp'] }, virtual, true],
    ['other profiles', { profiles: ['/Common/fastL4'] }, virtual, false],
    ['members in any order', { members: [{ name: '10.0.0.1:514' }, { name: '10.0.0.2:514' }] }, pool, true],
    ['other members', { members: [{ name: '10.0.0.1:514' }, { name: '10.0.0.9:514' }] }, pool, false],
    ['numbers as text', { port: 514 }, { port: '514' }, true],
    ['another number', { port: 514 }, { port: 515 }, false],
    ['zero is not empty', { port: 0 }, {}, false],
    ['a part of an object', { monitor: { min: 1 } }, { monitor: { min: 1, max: 2 } }, true],
    ['hostile shapes', { records: group.records, rules: ['a'] }, { records: 'x', rules: { length: 1 } }, false],
    ['nothing asked', {}, shown, true],
  ] as const) {
    t.equal(sameObject(asked, found), same, name);
  }
});
