import t from 'tap';
import { objectPath, recordOf } from '../../driver/icontrol/index.ts';
import { checkedPath, createdPath, searchOf } from '../../driver/icontrol/object-path.ts';

t.test('a full path becomes one segment, with every character safe', async (t) => {
  for (const [fullPath, segment] of [
    ['/Common/vs', '~Common~vs'],
    ['/T/A/x', '~T~A~x'],
    ['/Common/192.168.1.10%10', '~Common~192.168.1.10%2510'],
    ['/Common/a b', '~Common~a%20b'],
    ['/Common/a?b#c&d=e', '~Common~a%3Fb%23c%26d%3De'],
    ['/Common/[exec id]', '~Common~%5Bexec%20id%5D'],
    ['/Common/a\nb\r\0', '~Common~a%0Ab%0D%00'],
    ['/Common/..', '~Common~..'],
    ['/Common/-x', '~Common~-x'],
    ['/Common/größe', '~Common~gr%C3%B6%C3%9Fe'],
    ['/Common/"$(x)"\\', '~Common~%22%24(x)%22%5C'],
  ] as const) {
    t.equal(objectPath('tm/ltm/virtual', fullPath), `tm/ltm/virtual/${segment}`);
  }
});

t.test('a name that would mean another object, or none, is refused', async (t) => {
  for (const fullPath of ['', 'vs', '/', '/Common/', '//vs', '/Common//vs', '/Common/a~b', '/Common/\ud800']) {
    t.throws(() => objectPath('tm/ltm/virtual', fullPath), { code: 'EDW_ERR_BIGIP_NAME', mend: /Rename/ }, fullPath);
  }
});

t.test('a path can not leave what it names', async (t) => {
  const hostile = [
    '',
    '/tm/ltm',
    'tm/../shared',
    'tm/./x',
    'tm//x',
    'tm/x?y=1',
    'tm/x#y',
    'tm/a b',
    'tm/x\r\ny',
    'other/x',
    'tm',
  ];
  for (const path of hostile) t.throws(() => checkedPath(path), { code: 'EDW_ERR_BIGIP_NAME' }, JSON.stringify(path));
  t.equal(checkedPath('tm/ltm/virtual/~Common~a%25'), 'tm/ltm/virtual/~Common~a%25');
});

t.test('where a created object will stand is read off its body', async (t) => {
  for (const [body, path] of [
    [{ name: 'eg_map', partition: 'Edgeward' }, 'tm/x/~Edgeward~eg_map'],
    [{ name: 'a', partition: 'T', subPath: 'A' }, 'tm/x/~T~A~a'],
    [{ name: '/Edgeward/eg_map' }, 'tm/x/~Edgeward~eg_map'],
    [{ name: 'Edgeward' }, 'tm/x/Edgeward'],
    [{}, null],
    [{ name: 7 }, null],
  ] as const) {
    t.equal(createdPath('tm/x', body), path);
  }
});

t.test('a query is encoded, its dollar kept', async (t) => {
  t.equal(
    searchOf({ $filter: 'partition eq Edgeward', $select: 'name,generation' }),
    '?$filter=partition%20eq%20Edgeward&$select=name%2Cgeneration',
  );
  t.equal(searchOf({ options: 'records delete { a&b=c }' }), '?options=records%20delete%20%7B%20a%26b%3Dc%20%7D');
  t.equal(searchOf({}), '');
});

t.test('a call is found in the record of calls, with or without its query', async (t) => {
  t.match(recordOf('PATCH', '/mgmt/tm/ltm/data-group/internal/~Edgeward~eg_map?x=1'), { needs: 'write' });
  t.match(recordOf('GET', 'tm/ltm/virtual'), { needs: 'read' });
  for (const [method, path] of [
    ['PUT', 'tm/ltm/virtual'],
    ['DELETE', 'tm/ltm/virtual/~Common~x'],
    ['GET', 'tm/ltm/virtual/'],
  ] as const) {
    t.equal(recordOf(method, path), null, `${method} ${path}`);
  }
});
