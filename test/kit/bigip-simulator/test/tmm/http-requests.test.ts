import { connect } from 'node:net';
import t from 'tap';
import { contentOf, request, setStage, skip, statusOf, streamServer, until, webServer } from './stage.ts';

t.test(
  'every request of a connection fires, pipelined ones in order, and answers keep that order',
  { skip },
  async (t) => {
    const stage = await setStage(t);
    await stage.pool('/Common/p', await webServer(t));
    await stage.rule(
      '/Common/r',
      `when HTTP_REQUEST {
    incr n
    if { [HTTP::path] starts_with "/no" } { HTTP::respond 403 content "no $n" noserver X-N $n }
  }`,
    );
    await stage.virtual('/Common/v', { pool: '/Common/p', rules: ['/Common/r'] });
    const pipelined = ['/a', '/no', '/b'].map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join('');
    const { text, end } = await stage.ask(
      '/Common/v',
      `${pipelined}POST /no HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody${request('/c')}`,
    );
    t.strictSame(text.match(/GET \/\w|no \d/g), ['GET /a', 'no 2', 'GET /b', 'no 4', 'GET /c']);
    t.equal(end, 'closed');
  },
);

t.test('HTTP::respond answers as TMM does: HTTP/1.0, its own headers last', { skip }, async (t) => {
  const stage = await setStage(t);
  const cases: [string, string, string][] = [
    [
      'HTTP::respond 403 content "no\\n" noserver A b',
      request('/'),
      'HTTP/1.0 403 Forbidden\r\nA: b\r\nConnection: Close\r\nContent-Length: 3\r\n\r\nno\n',
    ],
    [
      'HTTP::respond 200',
      request('/'),
      'HTTP/1.0 200 OK\r\nServer: BigIP\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n',
    ],
    [
      'HTTP::respond 200 -version 1.1 content x Connection close',
      'GET / HTTP/1.1\r\n\r\n',
      'HTTP/1.1 200 OK\r\nConnection: close\r\nServer: BigIP\r\nContent-Length: 1\r\n\r\nx',
    ],
    [
      'HTTP::respond 200 content x',
      'HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n',
      'HTTP/1.0 200 OK\r\nServer: BigIP\r\nConnection: Close\r\nContent-Length: 1\r\n\r\n',
    ],
    [
      'HTTP::redirect "https://[HTTP::host][HTTP::uri]"',
      request('/a?b'),
      'HTTP/1.0 302 Found\r\nLocation: https://shop.example/a?b\r\nServer: BigIP\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n',
    ],
    [
      'HTTP::respond 200 content x',
      'GET / HTTP/1.0\r\n\r\n',
      'HTTP/1.0 200 OK\r\nServer: BigIP\r\nConnection: Close\r\nContent-Length: 1\r\n\r\nx',
    ],
  ];
  for (const [command, asked, answer] of cases) {
    await stage.rule('/Common/r', `when HTTP_REQUEST { ${command} }`);
    await stage.virtual('/Common/v', { rules: ['/Common/r'] });
    t.strictSame(await stage.ask('/Common/v', asked), { text: answer, end: 'closed' }, command);
  }
});

t.test(
  'neither an answer nor a refusal ends the script or later handlers; HTTP after an answer is an error',
  { skip },
  async (t) => {
    const stage = await setStage(t);
    await stage.rule(
      '/Common/a',
      'when HTTP_REQUEST priority 100 { HTTP::respond 200 content x; log local0. "went on" }',
    );
    await stage.rule(
      '/Common/b',
      'when HTTP_REQUEST { log local0. "later handler" ; if {[info exists quiet]} {return}; log local0. [HTTP::header Host] }',
    );
    await stage.virtual('/Common/v', { rules: ['/Common/a', '/Common/b'] });
    t.equal((await stage.ask('/Common/v', request('/'))).end, 'reset');
    const log = stage.plane.log();
    t.match(log, [
      /a <HTTP_REQUEST>: went on/,
      /b <HTTP_REQUEST>: later handler/,
      /01220001:3: TCL error: \/Common\/b <HTTP_REQUEST> - ERR_NOT_SUPPORTED +while executing "HTTP::header Host"/,
    ]);
    await stage.rule('/Common/b', 'when HTTP_REQUEST { HTTP::redirect /x }');
    t.equal((await stage.ask('/Common/v', request('/'))).end, 'reset');
    t.match(stage.plane.log().at(-1), /Multiple HTTP::redirect\/HTTP::respond invocations not allowed/);
    await stage.rule('/Common/b', 'when HTTP_REQUEST { reject; log local0. "still here" }');
    t.equal((await stage.ask('/Common/v', request('/'))).end, 'reset');
    t.match(stage.plane.log().at(-1), /still here/);
  },
);

t.test('event disable all leaves later requests of the connection to nobody: they pass', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.pool('/Common/p', await webServer(t));
  await stage.rule(
    '/Common/other',
    'when HTTP_REQUEST priority 1 { if { [HTTP::path] eq "/off" } { event disable all } }',
  );
  await stage.rule('/Common/r', 'when HTTP_REQUEST { if { [HTTP::path] eq "/secret" } { reject } }');
  await stage.virtual('/Common/v', { pool: '/Common/p', rules: ['/Common/other', '/Common/r'] });
  t.equal((await stage.ask('/Common/v', `GET / HTTP/1.1\r\n\r\n${request('/secret')}`)).end, 'reset');
  const bypassed = await stage.ask('/Common/v', `GET /off HTTP/1.1\r\n\r\n${request('/secret')}`);
  t.match(bypassed.text, /GET \/secret$/);
  await stage.rule('/Common/other', 'when HTTP_REQUEST priority 1 { event HTTP_REQUEST disable }');
  t.match((await stage.ask('/Common/v', `GET / HTTP/1.1\r\n\r\n${request('/secret')}`)).text, /GET \/secret$/);
});

t.test('HTTP::disable lets the rest of the connection pass unread', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.pool('/Common/p', await webServer(t));
  await stage.rule(
    '/Common/r',
    'when HTTP_REQUEST { if { [HTTP::path] eq "/secret" } { reject } else { HTTP::disable } }',
  );
  await stage.virtual('/Common/v', { pool: '/Common/p', rules: ['/Common/r'] });
  t.match(
    (await stage.ask('/Common/v', `GET / HTTP/1.1\r\nHost: x\r\n\r\n${request('/secret')}`)).text,
    /GET \/secret$/,
  );
});

t.test('rules read every part of a request', { skip }, async (t) => {
  const stage = await setStage(t);
  const cases: [string, string, string][] = [
    [
      '[HTTP::method] [HTTP::uri] [HTTP::path] [HTTP::query] [HTTP::version]',
      'PUT /a/b?c=d?e HTTP/1.1\r\nConnection: close\r\n\r\n',
      'PUT /a/b?c=d?e /a/b c=d?e 1.1',
    ],
    ['[HTTP::path] [HTTP::query]', 'GET http://x.example/a?b HTTP/1.1\r\nConnection: close\r\n\r\n', '/a b'],
    ['[HTTP::uri]', 'GET http://x.example/a?b HTTP/1.1\r\nConnection: close\r\n\r\n', 'http://x.example/a?b'],
    [
      '[HTTP::method] [HTTP::uri]',
      'CONNECT a.example:443 HTTP/1.1\r\nConnection: close\r\n\r\n',
      'CONNECT a.example:443',
    ],
    ['[HTTP::path -normalized]', request('/a/%2e%2e/./b//c%7e/%2f'), '/b/c~/%2F'],
    ['[HTTP::host]', request('/'), 'shop.example'],
    [
      '[HTTP::header X] [HTTP::header value x] [HTTP::header count X] [HTTP::header exists x]',
      request('/', 'X: 1', 'x: 2'),
      '2 2 2 1',
    ],
    ['[HTTP::header values X]', request('/', 'X: 1, 2', 'x: 3'), '{1, 2} 3'],
    ['[HTTP::header names]', request('/', 'X: 1', 'x: 2'), 'Host X x Connection'],
    ['[HTTP::header exists none] <[HTTP::header none]> [HTTP::header count]', request('/'), '0 <> 2'],
    ['[HTTP::is_keepalive] [HTTP::request_num]', request('/'), '0 1'],
    [
      '[HTTP::cookie A] [HTTP::cookie names] [HTTP::cookie exists B] [HTTP::cookie count]',
      request('/', 'Cookie: A=1; C=x=y'),
      '1 A C 0 2',
    ],
    ['[string length [HTTP::path]]', request('/\xe9\xff'), '3'],
    ['[HTTP::header X]', request('/', 'X: a', ' folded'), 'a folded'],
    [
      '[HTTP::request]',
      'GET / HTTP/1.1\r\nA:b\r\nConnection: close\r\n\r\n',
      'GET / HTTP/1.1\r\nA: b\r\nConnection: close\r\n\r\n',
    ],
  ];
  await stage.virtual('/Common/v', {});
  for (const [read, asked, expected] of cases) {
    await stage.rule('/Common/r', `when HTTP_REQUEST { HTTP::respond 200 content "${read}" }`);
    await stage.virtual('/Common/v', { rules: ['/Common/r'] });
    t.equal(contentOf((await stage.ask('/Common/v', asked)).text), expected, read);
  }
});

t.test('what rules change of a request reaches the server, and of a response the client', { skip }, async (t) => {
  const stage = await setStage(t);
  const port = await webServer(t, (request, response) => {
    response.setHeader('Set-Cookie', 'S=1; path=/');
    response.statusCode = 404;
    response.end(JSON.stringify([request.method, request.url, request.rawHeaders]));
  });
  await stage.pool('/Common/p', port);
  await stage.rule(
    '/Common/r',
    `when HTTP_REQUEST {
  HTTP::uri "/new?[HTTP::query]"
  HTTP::header remove Secret
  HTTP::header replace host other.example
  HTTP::header insert X-From [IP::client_addr] X-Two 2
  HTTP::method PATCH
}
when HTTP_RESPONSE {
  set before [HTTP::status]
  HTTP::status 200
  HTTP::header insert X-Was $before X-Cookie [HTTP::cookie S]
  HTTP::header remove date
}`,
  );
  await stage.virtual('/Common/v', { pool: '/Common/p', rules: ['/Common/r'] });
  const { text } = await stage.ask('/Common/v', request('/old?q', 'Secret: 1'));
  t.strictSame(JSON.parse(contentOf(text)), [
    'PATCH',
    '/new?q',
    ['Host', 'other.example', 'Connection', 'close', 'X-From', '127.0.0.1', 'X-Two', '2'],
  ]);
  t.equal(statusOf(text), 200);
  t.match(text, /\r\nX-Was: 404\r\nX-Cookie: 1\r\n/);
  t.notMatch(text, /\r\ndate:/i);
});

t.test('bodies of every framing pass, and can be collected and replaced', { skip }, async (t) => {
  const stage = await setStage(t);
  await stage.pool('/Common/p', await webServer(t));
  await stage.rule('/Common/plain', 'when HTTP_RESPONSE { set unused 1 }');
  await stage.rule(
    '/Common/changed',
    `when HTTP_REQUEST { HTTP::collect }
when HTTP_REQUEST_DATA { HTTP::payload replace 0 3 "longer"; HTTP::release }
when HTTP_RESPONSE { HTTP::collect [HTTP::header Content-Length] }
when HTTP_RESPONSE_DATA { HTTP::payload replace 0 [HTTP::payload length] "<[HTTP::payload]>" }`,
  );
  const large = 'x'.repeat(300_000);
  const cases: [string, string, string][] = [
    ['length', 'POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 5\r\n\r\nabcde', 'abcde'],
    [
      'chunks',
      'POST / HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\n',
      'abcde',
    ],
    ['much', `POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 300003\r\n\r\nabc${large}`, `abc${large}`],
  ];
  for (const [name, asked, body] of cases) {
    await stage.virtual('/Common/v', { pool: '/Common/p', rules: ['/Common/plain'] });
    t.equal(contentOf((await stage.ask('/Common/v', asked)).text), body, name);
    await stage.virtual('/Common/v', { pool: '/Common/p', rules: ['/Common/changed'] });
    const { text } = await stage.ask('/Common/v', asked);
    t.equal(contentOf(text), `<${body.replace('abc', 'longer')}>`, `${name}, changed`);
    t.match(text, new RegExp(`Content-Length: ${body.length + 5}\r\n`));
  }
});

t.test('a client of HTTP/1.0 gets no chunks, and a server that ends by closing is heard out', { skip }, async (t) => {
  const stage = await setStage(t);
  const chunked = await webServer(t, (_request, response) => {
    response.write('one ');
    response.end('two');
  });
  const closing = await streamServer(t, (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end'));
  await stage.pool('/Common/p', chunked);
  await stage.virtual('/Common/v', { pool: '/Common/p' });
  const old = await stage.ask('/Common/v', 'GET / HTTP/1.0\r\n\r\n');
  t.equal(contentOf(old.text), 'one two');
  t.notMatch(old.text, /transfer-encoding/i);
  await stage.pool('/Common/p', closing.port);
  t.strictSame(await stage.ask('/Common/v', 'GET / HTTP/1.1\r\n\r\n'), {
    text: 'HTTP/1.1 200 OK\r\n\r\nuntil the end',
    end: 'closed',
  });
});

t.test('an Upgrade is no hole: only what the server grants passes unread', { skip }, async (t) => {
  const stage = await setStage(t);
  const server = await streamServer(t, (socket, data) => {
    const text = data.toString();
    if (text.startsWith('GET /ws')) socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nhello');
    else if (text.startsWith('CONNECT')) socket.write('HTTP/1.1 200 OK\r\n\r\n');
    else if (text.startsWith('GET')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    else socket.end(`raw ${text}`);
  });
  await stage.pool('/Common/p', server.port);
  await stage.rule(
    '/Common/r',
    'when HTTP_REQUEST { log local0. [HTTP::uri]; if { [HTTP::path] eq "/secret" } { reject } }',
  );
  await stage.virtual('/Common/v', { pool: '/Common/p', rules: ['/Common/r'] });
  const upgrade = 'Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n';
  t.match((await stage.ask('/Common/v', `GET /ws HTTP/1.1\r\n${upgrade}frames`)).text, /101.*hello.*raw frames/s);
  t.match((await stage.ask('/Common/v', 'CONNECT a:1 HTTP/1.1\r\n\r\nbytes')).text, /200 OK.*raw bytes/s);
  const refused = await stage.ask('/Common/v', `GET /plain HTTP/1.1\r\n${upgrade}GET /secret HTTP/1.1\r\n\r\n`);
  t.equal(refused.end, 'reset');
  t.match(stage.plane.log().slice(-2), [/: \/plain$/, /: \/secret$/]);
});

t.test(
  'what is malformed or contradicts itself is reset and reaches neither a rule nor a server',
  { skip },
  async (t) => {
    const stage = await setStage(t);
    const server = await streamServer(t);
    await stage.pool('/Common/p', server.port);
    await stage.rule('/Common/r', 'when HTTP_REQUEST { log local0. "seen" }');
    await stage.virtual('/Common/v', { pool: '/Common/p', rules: ['/Common/r'] });
    const cases: Record<string, string> = {
      'no version': 'GET /\r\n\r\n',
      'another version': 'GET / HTTP/2.0\r\n\r\n',
      'a blank in the target': 'GET /a b HTTP/1.1\r\n\r\n',
      'a blank before the colon': 'GET / HTTP/1.1\r\nHost : x\r\n\r\n',
      'no colon': 'GET / HTTP/1.1\r\nHost\r\n\r\n',
      'a NUL in a value': 'GET / HTTP/1.1\r\nA: \0\r\n\r\n',
      'two lengths': 'POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
      'length and chunks': 'POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'an unknown coding': 'POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
      'a length with a sign': 'POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\na',
      'too many headers': `GET / HTTP/1.1\r\n${'A: b\r\n'.repeat(65)}\r\n`,
      'too large a head': `GET / HTTP/1.1\r\nA: ${'b'.repeat(40_000)}\r\n\r\n`,
      'half a head': 'GET / HTT',
    };
    for (const [name, asked] of Object.entries(cases)) {
      const heard =
        name === 'half a head' ? await halfAHead(stage.at('/Common/v'), asked) : await stage.ask('/Common/v', asked);
      t.strictSame(heard, { text: '', end: 'reset' }, name);
    }
    t.equal(server.connections.length, 0);
    t.match(stage.plane.log(), [/011f0011:4: HTTP header count exceeded/, /011f0005:4: HTTP header \(\d+\) exceeded/]);
  },
);

function halfAHead(place: { host: string; port: number }, text: string): Promise<{ text: string; end: string }> {
  return new Promise((resolve) => {
    const socket = connect({ ...place, allowHalfOpen: true }, () => socket.end(text));
    let end = 'closed';
    socket.on('error', () => {
      end = 'reset';
    });
    socket.resume();
    socket.on('close', () => resolve({ text: '', end }));
  });
}

t.test(
  'a body that breaks off ends both sides, and a server that breaks off resets the client',
  { skip },
  async (t) => {
    const stage = await setStage(t);
    const broken = await streamServer(t, (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'));
    await stage.pool('/Common/p', broken.port);
    await stage.virtual('/Common/v', { pool: '/Common/p' });
    t.equal((await stage.ask('/Common/v', request('/'))).end, 'reset');
    const silent = await streamServer(t);
    await stage.pool('/Common/p', silent.port);
    const socket = connect(stage.at('/Common/v'), () =>
      socket.write('POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc'),
    );
    socket.on('error', () => {});
    await until(() => silent.received().endsWith('abc'), 'the server has what there is');
    const gone = new Promise((resolve) => silent.connections[0]?.once('close', resolve));
    socket.destroy();
    await gone;
    const nonsense = await streamServer(t, (socket) => socket.end('nonsense\r\n\r\n'));
    await stage.pool('/Common/p', nonsense.port);
    t.equal((await stage.ask('/Common/v', request('/'))).end, 'reset');
  },
);

t.test(
  'one server connection serves a client as long as it lives, and another pool means another',
  { skip },
  async (t) => {
    const stage = await setStage(t);
    const ports = await Promise.all(
      ['a', 'b'].map((name) =>
        webServer(t, (request, response) => response.end(`${name} ${request.socket.remotePort};`)),
      ),
    );
    await stage.pool('/Common/a', ports[0] ?? 0);
    await stage.pool('/Common/b', ports[1] ?? 0);
    await stage.rule(
      '/Common/r',
      'when HTTP_REQUEST { if { [HTTP::path] eq "/b" } { pool b } }\nwhen SERVER_CONNECTED { log local0. connected }',
    );
    await stage.virtual('/Common/v', { pool: '/Common/a', rules: ['/Common/r'] });
    const asked = ['/a', '/a', '/b'].map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join('');
    const { text } = await stage.ask('/Common/v', `${asked}${request('/b')}`);
    const [first, second, third] = text.match(/[ab] \d+;/g) ?? [];
    t.equal(first, second);
    t.match(third, /^b /);
    t.ok(stage.plane.log().length >= 2);
  },
);

t.test('a rule that sees only responses knows the request and the server all the same', { skip }, async (t) => {
  const stage = await setStage(t);
  const server = await webServer(t);
  await stage.pool('/Common/p', server);
  await stage.rule('/Common/r', 'when HTTP_RESPONSE { HTTP::header insert X-Of "[HTTP::status] [IP::server_addr]" }');
  await stage.virtual('/Common/v', { pool: '/Common/p', rules: ['/Common/r'] });
  const { text } = await stage.ask('/Common/v', request('/a'));
  t.match(text, /\r\nX-Of: 200 127\.0\.0\.1\r\n/);
});
