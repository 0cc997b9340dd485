import { connect, type Socket } from 'node:net';
import t from 'tap';
import { ask, setStage, skip, streamServer, until } from './stage.ts';

const TCP = { profiles: [{ name: '/Common/tcp' }] };

async function opened(place: { host: string; port: number }): Promise<Socket> {
  const socket = connect({ ...place, allowHalfOpen: true });
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

/** What comes next, as bytes. */
function nextOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => socket.once('data', (data: Buffer | string) => resolve(data.toString('latin1'))));
}

t.test('a refused client is connected first, and then reset', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.rule('/Common/r', 'when CLIENT_ACCEPTED { reject }');
  await stage.virtual('/Common/v', { ...TCP, rules: ['/Common/r'] });
  t.strictSame(await stage.ask('/Common/v', 'hello'), { text: '', end: 'reset' });
});

t.test('a dropped client hears nothing, and its connection stays', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.rule(
    '/Common/r',
    'when CLIENT_ACCEPTED { if {$static::n > 0} { reject } else { incr static::n; discard } }\nwhen RULE_INIT { set static::n 0 }',
  );
  await stage.virtual('/Common/v', { ...TCP, rules: ['/Common/r'] });
  const socket = await opened(stage.at('/Common/v'));
  const heard: string[] = [];
  for (const event of ['data', 'end', 'close']) socket.on(event, () => heard.push(event));
  socket.write('hello');
  // Both TMMs have one to drop; a reset tells that the first was long decided.
  await Promise.any(Array.from({ length: 8 }, () => stage.ask('/Common/v', 'x')));
  t.strictSame(heard, []);
  socket.destroy();
});

t.test('bytes pass both ways, members take turns, and half a close is passed on', { skip }, async (t) => {
  const stage = await setStage(t);
  const asked: Socket[] = [];
  const answer = (name: string) => (socket: Socket, data: Buffer) => {
    asked.push(socket);
    socket.write(Buffer.concat([Buffer.from(name), data]));
  };
  const first = await streamServer(t, answer('1'), { allowHalfOpen: true });
  const second = await streamServer(t, answer('2'), { allowHalfOpen: true });
  await stage.pool('/Common/p', first.port, second.port);
  await stage.virtual('/Common/v', { ...TCP, pool: '/Common/p' });
  const answers = new Set<string>();
  for (let turn = 0; turn < 2; turn++) {
    const socket = await opened(stage.at('/Common/v'));
    socket.setEncoding('latin1');
    socket.write(Buffer.from('\0\xff{[$', 'latin1'));
    const heard = await nextOf(socket);
    answers.add(heard);
    socket.end();
    const server = asked.at(turn) as Socket;
    await until(() => server.readableEnded, 'the server sees the end');
    server.end('bye');
    t.equal(await nextOf(socket), 'bye');
    socket.destroy();
  }
  t.strictSame([...answers].sort(), ['1\0\xff{[$', '2\0\xff{[$']);
});

t.test('nobody to ask: the client is reset', { skip }, async (t) => {
  const stage = await setStage(t);
  const closed = await streamServer(t);
  await stage.pool('/Common/empty');
  await stage.pool('/Common/dead', 1);
  const cases: [string, Record<string, unknown>][] = [
    ['no pool', {}],
    ['an empty pool', { pool: '/Common/empty' }],
    ['a member that refuses', { pool: '/Common/dead' }],
  ];
  for (const [name, body] of cases) {
    const port = 81 + cases.findIndex(([known]) => known === name);
    await stage.virtual(`/Common/v${port}`, { ...TCP, destination: `/Common/10.0.0.1:${port}`, ...body });
    t.strictSame(await stage.ask(`/Common/v${port}`, 'x'), { text: '', end: 'reset' }, name);
  }
  t.equal(closed.connections.length, 0);
});

t.test('rules choose the pool, the member or the node, and are told of its choice', { skip }, async (t) => {
  const stage = await setStage(t);
  const chosen = await streamServer(t, (socket) => socket.end('chosen'));
  const other = await streamServer(t, (socket) => socket.end('other'));
  await stage.pool('/Common/both', other.port, chosen.port);
  await stage.pool('/Common/chosen', chosen.port);
  await stage.pool('/Common/other', other.port);
  const cases: [string, string][] = [
    ['pool chosen', 'chosen'],
    [`pool both member 127.0.0.1 ${chosen.port}`, 'chosen'],
    [`node 127.0.0.1 ${chosen.port}`, 'chosen'],
    ['set unused 1', 'other'],
  ];
  for (const [command, answer] of cases) {
    await stage.rule(
      '/Common/r',
      `when CLIENT_ACCEPTED { ${command} }
when LB_SELECTED { log local0. "selected [LB::server addr] [LB::server port]" }
when SERVER_CONNECTED { log local0. "connected [IP::server_addr] [TCP::server_port] [IP::remote_addr] [IP::client_addr]" }`,
    );
    await stage.virtual('/Common/v', { ...TCP, pool: '/Common/other', rules: ['/Common/r'] });
    t.equal((await stage.ask('/Common/v', 'x')).text, answer, command);
  }
  const [selected, connected] = stage.plane.log().slice(-2);
  t.match(selected, new RegExp(`<LB_SELECTED>: selected 127.0.0.1 ${other.port}$`));
  t.match(connected, new RegExp(`<SERVER_CONNECTED>: connected 127.0.0.1 ${other.port} 127.0.0.1 127.0.0.1$`));
});

t.test('a pool that is not there is a Tcl error, and the connection is reset', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.rule('/Common/r', 'when CLIENT_ACCEPTED { set p /Common/none; pool $p }');
  await stage.virtual('/Common/v', { ...TCP, rules: ['/Common/r'] });
  t.equal((await stage.ask('/Common/v', 'x')).end, 'reset');
  t.match(
    stage.plane.log().at(-1),
    /01220001:3: TCL error: \/Common\/r <CLIENT_ACCEPTED> - .*none +while executing "pool \$p ?"/,
  );
});

t.test('collected data is shown, changed and let go before a server is chosen', { skip }, async (t) => {
  const stage = await setStage(t);
  const server = await streamServer(t, (socket, data) => {
    if (data.toString().includes('end')) socket.end(`got ${data}`);
  });
  await stage.pool('/Common/p', server.port);
  await stage.rule(
    '/Common/r',
    `when CLIENT_ACCEPTED { TCP::collect 6 }
when CLIENT_DATA {
  if { [TCP::payload length] < 9 } { TCP::collect 9; return }
  TCP::payload replace 0 3 "new"
  set seen [TCP::payload 3]
  TCP::release
}
when SERVER_CONNECTED { log local0. "server after $seen"; TCP::collect }
when SERVER_DATA { TCP::payload replace 0 3 "had"; TCP::release }`,
  );
  await stage.virtual('/Common/v', { ...TCP, pool: '/Common/p', rules: ['/Common/r'] });
  const socket = await opened(stage.at('/Common/v'));
  let heard = '';
  socket.on('data', (data) => {
    heard += data;
  });
  socket.write('old');
  await new Promise((resolve) => setImmediate(resolve));
  socket.write('-one');
  socket.write('-and-end');
  await new Promise((resolve) => socket.once('end', resolve));
  socket.destroy();
  t.equal(server.received(), 'new-one-and-end');
  t.match(heard, /^had /);
  t.match(stage.plane.log().at(-1), /server after new$/);
});

t.test('a rule answers by itself and closes', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.rule('/Common/r', 'when CLIENT_ACCEPTED { TCP::respond "go away\\n"; TCP::close; reject }');
  await stage.virtual('/Common/v', { ...TCP, rules: ['/Common/r'] });
  const heard = await stage.ask('/Common/v', '');
  t.equal(heard.text, 'go away\n');
});

t.test(
  'a virtual server listens at its own loopback destination, else at a free port, and rules see the destination',
  { skip },
  async (t) => {
    const stage = await setStage(t);
    const taken = await streamServer(t);
    await stage.rule(
      '/Common/r',
      'when CLIENT_ACCEPTED { TCP::respond "[IP::local_addr] [TCP::local_port] [IP::client_addr]"; TCP::close }',
    );
    await stage.virtual('/Common/own', { ...TCP, destination: '/Common/127.7.7.7:18443', rules: ['/Common/r'] });
    t.strictSame(stage.at('/Common/own'), { host: '127.7.7.7', port: 18443 });
    t.equal((await stage.ask('/Common/own', '')).text, '127.7.7.7 18443 127.0.0.1');
    await stage.virtual('/Common/taken', {
      ...TCP,
      destination: `/Common/127.0.0.1:${taken.port}`,
      rules: ['/Common/r'],
    });
    t.not(stage.at('/Common/taken').port, taken.port);
    t.equal((await stage.ask('/Common/taken', '')).text, `127.0.0.1 ${taken.port} 127.0.0.1`);
    await stage.put('net route-domain', '/Common/2', { id: 2 });
    await stage.virtual('/Common/domain', { ...TCP, destination: '/Common/10.0.0.9%2:443', rules: ['/Common/r'] });
    t.equal(stage.at('/Common/domain').host, '127.0.0.1');
    t.equal((await stage.ask('/Common/domain', '')).text, '10.0.0.9%2 443 127.0.0.1%2');
    await stage.virtual('/Common/any', { ...TCP, destination: '/Common/10.0.0.9:0', rules: ['/Common/r'] });
    t.equal((await stage.ask('/Common/any', '')).text, `10.0.0.9 ${stage.at('/Common/any').port} 127.0.0.1`);
  },
);

t.test('a client names its address, with its route domain, before anything else', { skip }, async (t) => {
  const stage = await setStage(t, { preface: true });
  await stage.rule(
    '/Common/r',
    'when CLIENT_ACCEPTED { TCP::respond "[IP::client_addr] [TCP::client_port] [IP::local_addr] [TCP::local_port] [IP::version]"; TCP::close }',
  );
  await stage.virtual('/Common/v', { ...TCP, rules: ['/Common/r'] });
  await stage.virtual('/Common/any', { ...TCP, destination: '/Common/0.0.0.0:0', mask: 'any', rules: ['/Common/r'] });
  const cases: [string, string, string][] = [
    ['/Common/v', 'PROXY TCP4 10.9.9.9 10.0.0.1 4711 443\r\n', '10.9.9.9 4711 10.0.0.1 80 4'],
    ['/Common/v', 'PROXY TCP4 10.9.9.9%3 10.0.0.1 4711 443\r\n', '10.9.9.9%3 4711 10.0.0.1 80 4'],
    ['/Common/v', 'PROXY TCP4 10.9.9.9%0 10.0.0.1 4711 443\r\n', '10.9.9.9 4711 10.0.0.1 80 4'],
    ['/Common/v', 'PROXY TCP6 2001:db8::9 2001:db8::1 4711 443\r\n', '2001:db8::9 4711 10.0.0.1 80 6'],
    ['/Common/any', 'PROXY TCP4 10.9.9.9 10.5.5.5 4711 8443\r\n', '10.9.9.9 4711 10.5.5.5 8443 4'],
  ];
  for (const [virtual, preface, heard] of cases) t.equal((await stage.ask(virtual, preface)).text, heard, preface);
  for (const text of ['PROXY TCP4 nonsense\r\n', 'PROXX', 'PROXY TCP4 10.9.9.9 10.0.0.1 4711 99999\r\n'])
    t.match((await stage.ask('/Common/v', text)).text, /^127\.0\.0\.1 /, `${text} is no such line`);
});

t.test('what a disabled or removed virtual server had open is reset, and it listens no more', { skip }, async (t) => {
  const stage = await setStage(t);
  const server = await streamServer(t);
  await stage.pool('/Common/p', server.port);
  for (const [name, end] of [
    ['/Common/a', () => stage.put('ltm virtual', '/Common/a', { disabled: true, enabled: false })],
    ['/Common/b', () => stage.remove('ltm virtual', '/Common/b')],
    ['/Common/c', () => stage.plane.setActive(false)],
  ] as const) {
    await stage.virtual(name, { ...TCP, destination: `/Common/10.0.0.1:${name.charCodeAt(8)}`, pool: '/Common/p' });
    const place = stage.at(name);
    const socket = await opened(place);
    const gone = new Promise((resolve) => socket.once('close', resolve));
    await end();
    await gone;
    t.equal(stage.plane.listener(name), null);
    t.equal((await ask(place, 'x')).end, 'reset');
  }
  await stage.plane.setActive(true);
  t.not(stage.plane.listener('/Common/c'), null, 'the active unit listens again');
});

t.test('the end of a connection is an event, and its variables live until then', { skip }, async (t) => {
  const stage = await setStage(t);
  const server = await streamServer(t, (socket) => socket.end('bye'));
  await stage.pool('/Common/p', server.port);
  await stage.rule(
    '/Common/r',
    `when CLIENT_ACCEPTED { set began here }
when SERVER_CLOSED { log local0. "server closed, $began" }
when CLIENT_CLOSED { log local0. "client closed, $began" }`,
  );
  await stage.virtual('/Common/v', { ...TCP, pool: '/Common/p', rules: ['/Common/r'] });
  await stage.ask('/Common/v', 'x');
  await until(() => stage.plane.log().length === 2, 'both ends are logged');
  t.match(stage.plane.log().sort(), [/client closed, here/, /server closed, here/]);
});
