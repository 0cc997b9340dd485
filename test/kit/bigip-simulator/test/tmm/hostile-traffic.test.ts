import { connect, type Socket } from 'node:net';
import t from 'tap';
import { awkwardTexts } from './awkward-texts.ts';
import { contentOf, request, type Stage, setStage, skip, statusOf, webServer } from './stage.ts';

/** Sends, and goes away without listening. */
function shout(stage: Stage, virtual: string, data: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket: Socket = connect(stage.at(virtual), () => socket.end(data));
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.resume();
    socket.setTimeout(200, () => socket.destroy());
  });
}

t.test('whatever clients send, no error leaves its connection', { skip }, async (t) => {
  const stage = await setStage(t, { preface: true });
  await stage.pool('/Common/p', await webServer(t));
  await stage.rule(
    '/Common/r',
    `when CLIENT_ACCEPTED { set peer [IP::client_addr] }
when HTTP_REQUEST {
  set seen [list [HTTP::method] [HTTP::uri] [HTTP::path] [HTTP::path -normalized] [HTTP::query] [HTTP::host] [HTTP::header names] [HTTP::cookie names] [URI::decode [HTTP::uri]] [HTTP::header values X]]
  set group none
  catch { class match [HTTP::path] equals $group }
  HTTP::header insert X-Seen [llength $seen]
}`,
  );
  await stage.virtual('/Common/v', { pool: '/Common/p', rules: ['/Common/r'] });
  const texts = awkwardTexts(240);
  for (let at = 0; at < texts.length; at += 8) {
    await Promise.all(
      texts.slice(at, at + 8).flatMap((text) => {
        const clean = text.replace(/[\0-\x20\x7f]/g, '~');
        return [
          shout(stage, '/Common/v', Buffer.from(text, 'latin1')),
          shout(stage, '/Common/v', Buffer.from(`PROXY ${text}\r\n`, 'latin1')),
          shout(
            stage,
            '/Common/v',
            Buffer.from(`GET /${clean} HTTP/1.1\r\nX: ${clean}\r\nCookie: ${clean}\r\n\r\n`, 'latin1'),
          ),
          shout(
            stage,
            '/Common/v',
            Buffer.from(`POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n${text}`, 'latin1'),
          ),
        ];
      }),
    );
  }
  t.strictSame(stage.plane.log(), []);
  t.equal(statusOf((await stage.ask('/Common/v', request('/'))).text), 200);
});

t.test('what a client writes stays data in every command', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.rule(
    '/Common/r',
    'when HTTP_REQUEST { set item [URI::decode [HTTP::query]]; log local0. "item $item"; HTTP::respond 200 content $item X-Item [string length $item] }',
  );
  await stage.virtual('/Common/v', { rules: ['/Common/r'] });
  for (const text of awkwardTexts(120)) {
    const encoded = [...Buffer.from(text, 'latin1')].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
    const heard = await stage.ask('/Common/v', request(`/?${encoded}`));
    t.equal(contentOf(heard.text), text, JSON.stringify(text));
  }
});

t.test('a rule that answers or logs beyond all measure breaks nothing', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.rule(
    '/Common/r',
    'when HTTP_REQUEST { log local0. [string repeat x 3000000]; HTTP::respond 200 content [string repeat y 3000000] }',
  );
  await stage.virtual('/Common/v', { rules: ['/Common/r'] });
  t.equal(contentOf((await stage.ask('/Common/v', request('/'))).text).length, 3_000_000);
  t.ok((stage.plane.log().at(-1) ?? '').length < 10_000);
});
