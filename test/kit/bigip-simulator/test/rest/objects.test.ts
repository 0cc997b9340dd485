import t from 'tap';
import type { Response } from './rest-client.ts';
import { setStage } from './stage.ts';

const groups = '/mgmt/tm/ltm/data-group/internal';

t.test('a created object is answered with 200, as it stands, with a selfLink on localhost', async (t) => {
  const { admin } = await setStage(t, { version: '17.1.2' });
  const answer = await admin.call('POST', groups, {
    body: { name: 'sources', type: 'ip', records: [{ name: '10.1.2.3', data: 'x' }] },
  });
  t.equal(answer.status, 200);
  t.match(answer.body, {
    kind: 'tm:ltm:data-group:internal:internalstate',
    name: 'sources',
    partition: 'Common',
    fullPath: '/Common/sources',
    generation: Number,
    selfLink: 'https://localhost/mgmt/tm/ltm/data-group/internal/~Common~sources?ver=17.1.2',
    records: [{ name: '10.1.2.3/32', data: 'x' }],
  });
});

t.test('PATCH changes what it names, arrays as a whole; PUT replaces; DELETE answers nothing', async (t) => {
  const { admin } = await setStage(t);
  const path = `${groups}/~Common~words`;
  const records = [{ name: 'a' }, { name: 'b' }];
  await admin.call('POST', groups, { body: { name: 'words', type: 'string', records, description: 'ours' } });
  const patched = await admin.call('PATCH', path, { body: { records: [{ name: 'c', data: '1' }] } });
  t.match(patched.body, { description: 'ours', records: [{ name: 'c', data: '1' }] });
  t.match(patched.body.records, { length: 1 });
  const put = await admin.call('PUT', path, { body: { type: 'string' } });
  t.equal(put.status, 200);
  t.notOk('description' in put.body, 'absent when there is none');
  t.notOk('records' in put.body, 'absent when there are none');
  const gone = await admin.call('DELETE', path);
  t.equal(gone.status, 200);
  t.equal(gone.text, '');
});

t.test('what is there already, and what is not there, is said in the words of mcpd', async (t) => {
  const { admin } = await setStage(t);
  const body = { name: 'x', type: 'string' };
  await admin.call('POST', groups, { body });
  t.strictSame((await admin.call('POST', groups, { body })).body, {
    code: 409,
    message: '01020066:3: The requested value list (/Common/x) already exists in partition Common.',
    errorStack: [],
    apiError: 3,
  });
  for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
    const answer = await admin.call(method, `${groups}/~Common~y`, method === 'PUT' ? { body } : { body: {} });
    t.equal(answer.status, 404, method);
    t.equal(answer.body.message, '01020036:3: The requested value list (/Common/y) was not found.', method);
  }
});

t.test('an empty collection has no items', async (t) => {
  const { admin } = await setStage(t);
  const answer = await admin.call('GET', groups);
  t.strictSame(answer.body, {
    kind: 'tm:ltm:data-group:internal:internalcollectionstate',
    selfLink: 'https://localhost/mgmt/tm/ltm/data-group/internal?ver=17.1.2',
  });
});

t.test('names in sub-folders and with a route domain are found under their escaped path', async (t) => {
  const { admin } = await setStage(t);
  await admin.call('POST', '/mgmt/tm/sys/folder', { body: { name: 'app', partition: 'Common' } });
  await admin.call('POST', groups, { body: { name: 'g', partition: 'Common', subPath: 'app', type: 'string' } });
  const inside = await admin.call('GET', `${groups}/~Common~app~g`);
  t.match(inside.body, { name: 'g', partition: 'Common', subPath: 'app', fullPath: '/Common/app/g' });
  await admin.call('POST', groups, { body: { name: '192.168.1.10%10', type: 'string' } });
  const escaped = await admin.call('GET', `${groups}/~Common~192.168.1.10%2510`);
  t.equal(escaped.status, 200);
  t.match(String(escaped.body.selfLink), '/~Common~192.168.1.10%2510?ver=');
  t.equal((await admin.call('GET', `${groups}/~Common~192.168.1.10%10`)).status, 404, 'unescaped it is another name');
});

t.test('a list is filtered by partition, cut to properties, and given page by page', async (t) => {
  const { admin } = await setStage(t);
  await admin.call('POST', '/mgmt/tm/auth/partition', { body: { name: 'Other' } });
  for (const partition of ['Common', 'Other'])
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      await admin.call('POST', groups, { body: { name, partition, type: 'string' } });
    }
  const query = '?$filter=partition+eq+Other&$select=fullPath';
  const all = await admin.call('GET', `${groups}${query}`);
  t.strictSame(
    namesOf(all),
    ['a', 'b', 'c', 'd', 'e'].map((name) => ({ fullPath: `/Other/${name}` })),
  );
  const first = await admin.call('GET', `${groups}${query}&$top=2`);
  t.match(first.body, { currentItemCount: 2, totalItems: 5, totalPages: 3, items: { length: 2 } });
  const seen: unknown[] = [];
  let link: unknown = `https://localhost${groups}${query}&$top=2`;
  for (let page = 0; page < 5 && typeof link === 'string'; page += 1) {
    const answer = await admin.call('GET', link.replace('https://localhost', ''));
    seen.push(...namesOf(answer));
    link = answer.body.nextLink;
  }
  t.strictSame(seen, namesOf(all), 'nextLink leads through all of them once');
  t.equal((await admin.call('GET', `${groups}?$top=x`)).status, 400);
});

t.test('options of a PATCH change single records, all or none, and the selfLink repeats them', async (t) => {
  const { admin } = await setStage(t);
  await admin.call('POST', groups, { body: { name: 'd', type: 'string', records: [{ name: 'key1', data: 'v' }] } });
  const path = `${groups}/~Common~d`;
  const added = await admin.call('PATCH', `${path}?options=records+add+{+key2+{+data+w+}+}`, { body: {} });
  t.equal(added.status, 200);
  t.match(String(added.body.selfLink), /\?options=records\+add\+.*key2.*&ver=17\.1\.2$/);
  const again = await admin.call('PATCH', `${path}?options=records+add+{+key3+key1+}`, { body: {} });
  t.equal(again.status, 409);
  t.match(again.body.message, '01020066:3: The requested class string item (/Common/d key1) already exists');
  const missing = await admin.call('PATCH', `${path}?options=records+delete+{+key1+key4+}`, { body: {} });
  t.equal(missing.status, 404);
  t.equal(missing.body.message, '01020036:3: The requested class string item (/Common/d key4) was not found.');
  const { records } = (await admin.call('GET', path)).body;
  t.match(records, [{ name: 'key1' }, { name: 'key2' }], 'no batch was applied in part');
  t.match(records, { length: 2 });
});

t.test('what belongs to an object has a path of its own, and is inline when asked for', async (t) => {
  const { admin } = await setStage(t);
  const pool = { name: 'p', members: [{ name: '127.0.0.1:80', address: '127.0.0.1' }] };
  await admin.call('POST', '/mgmt/tm/ltm/pool', { body: pool });
  const short = await admin.call('GET', '/mgmt/tm/ltm/pool/~Common~p');
  t.match(short.body.membersReference, { isSubcollection: true, link: /\/pool\/~Common~p\/members\?ver=/ });
  t.notOk('members' in short.body);
  const members = '/mgmt/tm/ltm/pool/~Common~p/members';
  const added = await admin.call('POST', members, { body: { name: '127.0.0.2:81', address: '127.0.0.2' } });
  t.match(added.body, { kind: 'tm:ltm:pool:members:membersstate', fullPath: '/Common/127.0.0.2:81' });
  t.equal((await admin.call('POST', members, { body: { name: '127.0.0.2:81' } })).status, 409);
  t.match(await admin.call('GET', `${members}/~Common~127.0.0.2:81`), { status: 200 });
  const expanded = await admin.call('GET', '/mgmt/tm/ltm/pool?expandSubcollections=true');
  t.match(expanded.body, { items: [{ membersReference: { items: { length: 2 } } }] });
  t.equal((await admin.call('DELETE', `${members}/~Common~127.0.0.1:80`)).status, 200);
  t.match((await admin.call('GET', members)).body, { items: [{ name: '127.0.0.2:81' }] });
});

t.test(
  'a virtual server shows rules in their order, references beside names, profiles at their own path',
  async (t) => {
    const { admin } = await setStage(t);
    for (const name of ['one', 'two']) {
      await admin.call('POST', '/mgmt/tm/ltm/rule', { body: { name, apiAnonymous: 'when CLIENT_ACCEPTED { }' } });
    }
    await admin.call('POST', '/mgmt/tm/ltm/pool', { body: { name: 'p' } });
    const body = {
      name: 'v',
      destination: '/Common/127.0.0.1:8080',
      ipProtocol: 'tcp',
      pool: 'p',
      profiles: [{ name: 'tcp' }, { name: 'http' }],
      rules: ['/Common/two', '/Common/one'],
    };
    const made = await admin.call('POST', '/mgmt/tm/ltm/virtual', { body });
    t.match(made.body, {
      pool: '/Common/p',
      poolReference: { link: 'https://localhost/mgmt/tm/ltm/pool/~Common~p?ver=17.1.2' },
      rules: ['/Common/two', '/Common/one'],
      rulesReference: [{ link: /\/~Common~two\?/ }, { link: /\/~Common~one\?/ }],
      profilesReference: { isSubcollection: true },
    });
    const profiles = await admin.call('GET', '/mgmt/tm/ltm/virtual/~Common~v/profiles');
    t.match(profiles.body, { items: [{ fullPath: '/Common/http', context: 'all' }, { fullPath: '/Common/tcp' }] });
    t.match(
      profiles.text,
      '"nameReference":{"link":"https://localhost/mgmt/tm/ltm/profile/http/~Common~http?ver=17.1.2"}',
    );
    const whole = await admin.call('GET', '/mgmt/tm/ltm/virtual/~Common~v?expandSubcollections=true');
    const sentBack = await admin.call('PUT', '/mgmt/tm/ltm/virtual/~Common~v', {
      body: { ...body, profiles: profiles.body.items },
    });
    t.equal(sentBack.status, 200, 'what was read can be sent back');
    const after = await admin.call('GET', '/mgmt/tm/ltm/virtual/~Common~v?expandSubcollections=true');
    t.strictSame(withoutGeneration(after), withoutGeneration(whole));
    const refused = await admin.call('DELETE', '/mgmt/tm/ltm/rule/~Common~one');
    t.equal(refused.status, 400);
    t.match(
      refused.body.message,
      '01070265:3: The rule (/Common/one) cannot be deleted because it is in use by a virtual server',
    );
    const detached = await admin.call('PATCH', '/mgmt/tm/ltm/virtual/~Common~v', { body: { rules: [] } });
    t.notOk('rules' in detached.body, 'absent when there are none');
  },
);

t.test('foreign configuration is kept as it came', async (t) => {
  const { admin } = await setStage(t);
  const body = { name: 'f5_health', defaultsFrom: '/Common/http', send: 'GET /\\r\\n', interval: 5 };
  const made = await admin.call('POST', '/mgmt/tm/ltm/monitor/http', { body });
  t.match(made, { status: 200, body: { kind: 'tm:ltm:monitor:http:httpstate', ...body } });
  t.match((await admin.call('GET', '/mgmt/tm/ltm/monitor/http')).body, { items: [{ name: 'f5_health' }] });
});

t.test('a path that no BIG-IP has is refused, whoever asks', async (t) => {
  const { admin } = await setStage(t);
  const paths = [
    '/mgmt/tm/ltm/nonsense',
    '/mgmt/tm/nonsense',
    '/mgmt/nonsense',
    '/mgmt/shared/nonsense',
    '/mgmt/tm/ltm/nonsense/~Common~x',
  ];
  for (const path of paths) {
    const answer = await admin.call('GET', path);
    t.equal(answer.status, 404, path);
    t.equal(answer.body.message, `Public URI path not registered: ${path.replace('/mgmt', '')}`, path);
  }
  t.match((await admin.call('GET', '/mgmt/tm/ltm')).body, { kind: 'tm:ltm:ltmcollectionstate', items: Array });
  t.equal((await admin.call('GET', '/tmui/login.jsp')).status, 404);
});

function namesOf(answer: Response): unknown[] {
  return Array.isArray(answer.body.items) ? answer.body.items : [];
}

function withoutGeneration(answer: Response): unknown {
  return JSON.parse(answer.text.replaceAll(/"generation":\d+/g, '"generation":0'));
}
