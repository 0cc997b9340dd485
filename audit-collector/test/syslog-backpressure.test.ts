import { once } from 'node:events';
import t from 'tap';
import { type DenyMessage, readDenyMessage } from '../src/deny-message.ts';
import { createSyslogIntake } from '../src/syslog-intake.ts';
import { createSyslogServer } from '../src/syslog-listener.ts';
import { denyMessage, until } from './kit.ts';
import { senderTo } from './sender.ts';

const nothing = (): void => {};

t.test('with its memory full it stops reading, the sender is held up, and nothing is lost', async (t) => {
  const total = 20_000;
  const stored: number[] = [];
  let isBroken = true;
  let most = 0;
  const store = async (messages: readonly DenyMessage[]): Promise<void> => {
    most = Math.max(most, intake.waiting());
    if (isBroken) throw new Error('the disk is full');
    stored.push(...messages.map(({ number }) => number?.seq ?? 0));
  };
  const intake = createSyslogIntake({ store, onRoom: () => server.resume(), onFailed: nothing, maxMessages: 500 });
  const server = createSyslogServer(
    { point: 'big-1', listen: { host: '127.0.0.1', port: 0 }, from: ['127.0.0.1'], messageTimeoutMs: 100 },
    {
      hasRoom: intake.hasRoom,
      frame: (frame) => intake.add(readDenyMessage(frame), 1),
      refused: nothing,
      closed: (cause) => t.fail(`closed as ${cause} while it was held up by us`),
      failed: nothing,
    },
  );
  t.teardown(() => server.close());
  await server.start();
  const { socket } = await senderTo(t, server.port() ?? 0);
  let sent = 0;
  const send = (): void => {
    while (sent < total) {
      sent += 1;
      if (!socket.write(`${denyMessage({ seq: sent }, { path: `/${'x'.repeat(1_000)}` })}\n`)) return;
    }
  };
  socket.on('drain', send);
  send();
  await until('the memory is full', () => intake.waiting() === 500);
  // The buffers between both ends fill up, then no byte moves.
  let last = -1;
  let still = 0;
  await until('the sender is held up', () => {
    still = socket.bytesWritten - socket.writableLength === last ? still + 1 : 0;
    last = socket.bytesWritten - socket.writableLength;
    return still > 30;
  });
  t.ok(sent < total, `${sent} of ${total} were taken from the sender`);
  t.match(intake.error(), { message: 'the disk is full' });
  isBroken = false;
  await until('all is stored', () => stored.length === total);
  t.strictSame(
    stored,
    Array.from({ length: total }, (_, i) => i + 1),
  );
  t.ok(most <= 500, `at most ${most} messages were in memory`);
  socket.end();
  await once(socket, 'close');
  t.equal(await intake.close(), 0);
});

t.test('memory is bounded in bytes too', async (t) => {
  const intake = createSyslogIntake({ store: async () => {}, onRoom: nothing, onFailed: nothing, maxBytes: 300_000 });
  t.teardown(() => intake.close());
  const message = readDenyMessage({ kind: 'message', bytes: Buffer.from(denyMessage({ seq: 1 })) });
  let added = 0;
  for (; intake.hasRoom() && added < 100; added += 1) intake.add(message, 60_000);
  t.equal(added, 5);
  await until('it is stored', () => intake.waiting() === 0);
  t.ok(intake.hasRoom());
});
