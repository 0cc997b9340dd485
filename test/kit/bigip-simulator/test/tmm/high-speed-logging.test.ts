import { createSocket } from 'node:dgram';
import t from 'tap';
import { contentOf, request, type Stage, type StreamServer, setStage, skip, streamServer, until } from './stage.ts';

async function publisher(stage: Stage, port: number, protocol = 'tcp'): Promise<void> {
  await stage.pool('/Common/collectors', port);
  await stage.put('sys log-config destination remote-high-speed-log', '/Common/hsl', {
    poolName: '/Common/collectors',
    protocol,
  });
  await stage.put('sys log-config publisher', '/Common/audit', {
    destinations: [{ name: 'hsl', partition: 'Common' }],
  });
}

async function sending(stage: Stage, open: string): Promise<string> {
  await stage.rule(
    '/Common/r',
    `when HTTP_REQUEST {
  if { [catch { HSL::send [HSL::open ${open}] "[HTTP::query]\\n" } sent] } { set sent "error: $sent" }
  HTTP::respond 200 content $sent noserver
}`,
  );
  await stage.virtual('/Common/v', { rules: ['/Common/r'] });
  return contentOf((await stage.ask('/Common/v', request('/?first'))).text);
}

t.test('messages leave as they are, over TCP, by publisher or by pool', { skip }, async (t) => {
  for (const open of ['-publisher /Common/audit', '-publisher audit', '-proto TCP -pool collectors']) {
    const stage = await setStage(t);
    const collector = await streamServer(t);
    await publisher(stage, collector.port);
    t.equal(await sending(stage, open), '1', open);
    await stage.ask('/Common/v', request('/?{second]\xff'));
    await until(() => collector.received().split('\n').length === 3, 'both arrive');
    t.equal(collector.received(), 'first\n{second]\xff\n');
    t.equal(collector.connections.length, 1);
  }
});

t.test('messages leave over UDP, one a datagram', { skip }, async (t) => {
  const stage = await setStage(t);
  const heard: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (data) => heard.push(data.toString()));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  t.teardown(() => void socket.close());
  await publisher(stage, socket.address().port, 'udp');
  t.equal(await sending(stage, '-publisher /Common/audit'), '1');
  t.equal(await sending(stage, '-proto UDP -pool collectors'), '1');
  await until(() => heard.length === 2, 'both arrive');
  t.strictSame(heard, ['first\n', 'first\n']);
});

t.test('what is not there is a Tcl error when it is opened', { skip }, async (t) => {
  const stage = await setStage(t);
  t.match(await sending(stage, '-publisher /Common/none'), /^error: .*\/Common\/none/);
  t.match(await sending(stage, '-proto TCP -pool [string tolower NONE]'), /^error: .*none/);
  t.match(await sending(stage, '-nonsense x'), /^error: bad option "-nonsense"/);
});

t.test(
  'a collector that is away holds up no traffic, and hears later messages when it is back',
  { skip },
  async (t) => {
    const stage = await setStage(t);
    const first = await streamServer(t);
    await publisher(stage, first.port);
    t.equal(await sending(stage, '-publisher audit'), '1');
    await until(() => first.received() !== '', 'the first arrives');
    for (const socket of first.connections) socket.destroy();
    await stage.pool('/Common/collectors', 1);
    for (let count = 0; count < 20; count++)
      t.match(contentOf((await stage.ask('/Common/v', request('/?lost'))).text), /^[01]$/);
    const second: StreamServer = await streamServer(t);
    await stage.pool('/Common/collectors', second.port);
    await until(async () => {
      await stage.ask('/Common/v', request('/?again'));
      return second.received().includes('again\n');
    }, 'the second collector hears');
  },
);

t.test('a collector that does not read fills the buffer; then nothing is taken until it reads', { skip }, async (t) => {
  const stage = await setStage(t);
  const collector = await streamServer(t);
  await publisher(stage, collector.port);
  await stage.rule(
    '/Common/r',
    `when CLIENT_ACCEPTED {
  set sent 0
  set handle [HSL::open -publisher audit]
  for { set i 0 } { $i < 64 } { incr i } { incr sent [HSL::send $handle [string repeat x 100000]] }
  TCP::respond $sent; TCP::close
}`,
  );
  await stage.virtual('/Common/v', { profiles: [{ name: '/Common/tcp' }], rules: ['/Common/r'] });
  const connected = (): boolean => {
    for (const socket of collector.connections) socket.pause();
    return collector.connections.length > 0;
  };
  let sent = 64;
  await until(async () => {
    connected();
    sent = Number((await stage.ask('/Common/v', '')).text);
    return sent < 64;
  }, 'the buffer is full');
  for (const socket of collector.connections) socket.resume();
  await until(async () => Number((await stage.ask('/Common/v', '')).text) > 0, 'there is room again');
});
