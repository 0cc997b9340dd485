import { createSocket, type Socket } from 'node:dgram';
import t from 'tap';
import { setStage, skip, type Test, until } from './stage.ts';

const UDP = { ipProtocol: 'udp', profiles: [{ name: '/Common/udp' }], destination: '/Common/10.0.0.1:53' };

interface Peer {
  port: number;
  socket: Socket;
  heard: string[];
}

async function peer(t: Test, answer?: (data: string) => string): Promise<Peer> {
  const socket = createSocket('udp4');
  const heard: string[] = [];
  socket.on('message', (data, from) => {
    heard.push(data.toString('latin1'));
    if (answer !== undefined) socket.send(answer(data.toString('latin1')), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  t.teardown(() => void socket.close());
  return { port: socket.address().port, socket, heard };
}

t.test('datagrams pass both ways, and a flow is accepted once', { skip }, async (t) => {
  const stage = await setStage(t);
  const server = await peer(t, (data) => `re ${data}`);
  await stage.pool('/Common/p', server.port);
  await stage.rule(
    '/Common/r',
    'when CLIENT_ACCEPTED { log local0. "[IP::protocol] [UDP::local_port] [IP::local_addr] [UDP::client_port]" }',
  );
  await stage.virtual('/Common/v', { ...UDP, pool: '/Common/p', rules: ['/Common/r'] });
  const { host, port } = stage.at('/Common/v');
  const clients = [await peer(t), await peer(t)];
  for (const { socket } of clients) for (const text of ['a', 'b']) socket.send(text, port, host);
  for (const { heard } of clients) await until(() => heard.length === 2, 'both are answered');
  for (const { heard } of clients) t.strictSame(heard.sort(), ['re a', 're b']);
  const lines = stage.plane.log().map((line) => line.replace(/^.*: /, ''));
  t.strictSame(lines.sort(), clients.map((client) => `17 53 10.0.0.1 ${client.port}`).sort());
});

t.test('a refused flow hears nothing, and its next datagram is judged anew', { skip }, async (t) => {
  const stage = await setStage(t);
  const server = await peer(t);
  await stage.pool('/Common/p', server.port);
  await stage.rule('/Common/r', 'when CLIENT_ACCEPTED { log local0. "judged"; reject }');
  await stage.virtual('/Common/v', { ...UDP, pool: '/Common/p', rules: ['/Common/r'] });
  const { host, port } = stage.at('/Common/v');
  const client = await peer(t);
  client.socket.send('a', port, host);
  await until(() => stage.plane.log().length === 1, 'the first is judged');
  client.socket.send('b', port, host);
  await until(() => stage.plane.log().length === 2, 'the second is judged');
  await stage.rule('/Common/r', 'when CLIENT_ACCEPTED { log local0. "allowed" }');
  client.socket.send('c', port, host);
  await until(() => server.heard.length === 1, 'the third arrives');
  t.strictSame(server.heard, ['c']);
  t.strictSame(client.heard, []);
});

t.test('each datagram is data: shown, changed, answered or dropped', { skip }, async (t) => {
  const stage = await setStage(t);
  const server = await peer(t);
  await stage.pool('/Common/p', server.port);
  await stage.rule(
    '/Common/r',
    `when CLIENT_DATA {
  switch -- [UDP::payload] {
    drop { UDP::drop }
    answer { UDP::respond "\\x00own\\xff"; UDP::drop }
    default { UDP::payload replace 0 0 "[UDP::payload length] " }
  }
}`,
  );
  await stage.virtual('/Common/v', { ...UDP, pool: '/Common/p', rules: ['/Common/r'] });
  const { host, port } = stage.at('/Common/v');
  const client = await peer(t);
  for (const text of ['drop', 'answer', 'three']) client.socket.send(text, port, host);
  await until(() => server.heard.length === 1 && client.heard.length === 1, 'all are handled');
  t.strictSame(server.heard, ['5 three']);
  t.strictSame(client.heard, ['\0own\xff']);
});

t.test('a datagram may name its client, who then has a flow of their own', { skip }, async (t) => {
  const stage = await setStage(t, { preface: true });
  const server = await peer(t);
  await stage.pool('/Common/p', server.port);
  await stage.rule('/Common/r', 'when CLIENT_ACCEPTED { if { [IP::client_addr] ne "10.9.9.9%4" } { drop } }');
  await stage.virtual('/Common/v', { ...UDP, pool: '/Common/p', rules: ['/Common/r'] });
  const { host, port } = stage.at('/Common/v');
  const client = await peer(t);
  client.socket.send('PROXY UDP4 10.9.9.8 10.0.0.1 1 53\r\nno', port, host);
  client.socket.send('plain', port, host);
  client.socket.send('PROXY UDP4 10.9.9.9%4 10.0.0.1 1 53\r\nyes', port, host);
  await until(() => server.heard.length === 1, 'one arrives');
  t.strictSame(server.heard, ['yes']);
});
