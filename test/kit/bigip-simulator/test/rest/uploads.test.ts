import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:https';
import t from 'tap';
import { until } from '../until.ts';
import { basic, type Response, type RestClient } from './rest-client.ts';
import { setStage, unitOf } from './stage.ts';

const uploads = '/mgmt/shared/file-transfer/uploads';
const chunkBytes = 512 * 1024;

function send(client: RestClient, file: string, range: string, body: Buffer): Promise<Response> {
  const headers = { 'content-type': 'application/octet-stream', 'content-range': range };
  return client.call('POST', `${uploads}/${file}`, { body, headers });
}

async function sendAll(client: RestClient, file: string, content: Buffer): Promise<Response[]> {
  const answers: Response[] = [];
  for (let start = 0; start < content.length; start += chunkBytes) {
    const chunk = content.subarray(start, start + chunkBytes);
    answers.push(await send(client, file, `${start}-${start + chunk.length - 1}/${content.length}`, chunk));
  }
  return answers;
}

async function readBack(client: RestClient, file: string, name: string): Promise<Response> {
  return client.call('POST', '/mgmt/tm/sys/file/data-group', {
    body: { name, type: 'string', separator: ':=', sourcePath: `file:/var/config/rest/downloads/${file}` },
  });
}

t.test('a file arrives in chunks and is there after the last', async (t) => {
  const { admin } = await setStage(t);
  const lines = Array.from({ length: 40_000 }, (_, index) => `"key-${index}" := "value of ${index}",\n`);
  const content = Buffer.from(lines.join(''));
  t.ok(content.length > 2 * chunkBytes);
  const answers = await sendAll(admin, 'big.txt', content);
  t.match(answers[0]?.body, {
    remainingByteCount: content.length - chunkBytes,
    usedChunks: { 0: chunkBytes },
    totalByteCount: content.length,
    localFilePath: '/var/config/rest/downloads/big.txt',
    temporaryFilePath: '/var/config/rest/downloads/tmp/big.txt',
  });
  t.match(answers.at(-1)?.body, { remainingByteCount: 0 });
  const file = await readBack(admin, 'big.txt', 'big');
  t.equal(file.status, 200, file.text);
  const hex = createHash('sha1').update(content).digest('hex');
  t.equal(file.body.checksum, `SHA1:${content.length}:${hex}`);
});

t.test('a chunk that does not follow the one before is refused, and the upload goes on where it was', async (t) => {
  const { admin } = await setStage(t);
  const refused = [
    { name: 'without a beginning', range: '4-7/12' },
    { name: 'no range', range: '' },
    { name: 'a range that is none', range: 'bytes=0-3' },
    { name: 'a range that fits no body', range: '0-9/12' },
    { name: 'a range past the end', range: '10-13/12' },
    { name: 'a range upside down', range: '3-0/12' },
    { name: 'a file of a terabyte', range: '0-3/1099511627776' },
  ];
  for (const { name, range } of refused)
    t.equal((await send(admin, 'f', range, Buffer.from('abcd'))).status, 400, name);
  t.equal((await send(admin, 'f', '0-3/12', Buffer.from('abcd'))).status, 200);
  const between = [
    { name: 'a gap', range: '8-11/12' },
    { name: 'an overlap', range: '2-5/12' },
    { name: 'another total', range: '4-7/16' },
  ];
  for (const { name, range } of between)
    t.equal((await send(admin, 'f', range, Buffer.from('efgh'))).status, 400, name);
  t.equal(
    (await send(admin, 'f', 'bytes 4-7/12', Buffer.from('efgh'))).status,
    200,
    'with a unit, as some tools send it',
  );
  t.equal((await readBack(admin, 'f', 'f')).status >= 400, true, 'nothing is there before the last chunk');
  t.equal((await send(admin, 'f', '8-11/12', Buffer.from('ijkl'))).status, 200);
});

t.test('a chunk of more than 1 MiB is refused', async (t) => {
  const { admin } = await setStage(t);
  const body = randomBytes((1 << 20) + 1);
  t.equal((await send(admin, 'f', `0-${body.length - 1}/${body.length}`, body)).status, 400);
  const most = body.subarray(1);
  t.equal((await send(admin, 'f', `0-${most.length - 1}/${most.length}`, most)).status, 200);
});

t.test('a name that leads elsewhere is refused', async (t) => {
  const { admin } = await setStage(t);
  for (const name of ['..%2Fx', '..%2F..%2Fx', 'a%2Fb', 'a%00b', '-rf', 'x'.repeat(300), 'a/b', '']) {
    const answer = await send(admin, name, '0-0/1', Buffer.from('x'));
    t.equal(answer.status, 400, name);
  }
});

t.test('files arrive at the same time without touching each other', async (t) => {
  const { admin } = await setStage(t);
  const contents = Array.from({ length: 4 }, (_, index) =>
    Buffer.from(Array.from({ length: 40_000 }, (_, line) => `"k-${index}-${line}" := "v",\n`).join('')),
  );
  await Promise.all(contents.map((content, index) => sendAll(admin, `f${index}`, content)));
  for (const [index, content] of contents.entries()) {
    const file = await readBack(admin, `f${index}`, `f${index}`);
    t.match(String(file.body.checksum), createHash('sha1').update(content).digest('hex'));
  }
});

t.test('a connection that breaks inside a chunk leaves the chunks before it', async (t) => {
  const { admin, simulator } = await setStage(t);
  t.equal((await send(admin, 'f', '0-3/8', Buffer.from('abcd'))).status, 200);
  const unit = unitOf(simulator, 0);
  const before = unit.calls().length;
  await breakOff(unit.url, simulator.ca, `${uploads}/f`);
  await until(() => unit.calls().length > before, 'the call is over');
  t.match(unit.calls().at(-1), { status: 0 });
  const rest = await send(admin, 'f', '4-7/8', Buffer.from('efgh'));
  t.match(rest.body, { remainingByteCount: 0 });
});

t.test('a reset by the unit inside a chunk leaves the chunks before it', async (t) => {
  const { admin, simulator } = await setStage(t);
  const content = randomBytes(chunkBytes);
  unitOf(simulator, 0).inject({ kind: 'reset', path: uploads, after: 1 });
  t.equal((await send(admin, 'f', `0-${chunkBytes - 1}/${2 * chunkBytes}`, content)).status, 200);
  const range = `${chunkBytes}-${2 * chunkBytes - 1}/${2 * chunkBytes}`;
  await t.rejects(send(admin, 'f', range, content));
  t.match((await send(admin, 'f', range, content)).body, { remainingByteCount: 0 });
});

t.test('uploaded files are removed with unix-rm, and nothing else is', async (t) => {
  const { admin } = await setStage(t);
  const remove = (utilCmdArgs: string): Promise<Response> =>
    admin.call('POST', '/mgmt/tm/util/unix-rm', { body: { command: 'run', utilCmdArgs } });
  await send(admin, 'f', '0-0/1', Buffer.from('x'));
  const done = await remove('/var/config/rest/downloads/f');
  t.match(done, { status: 200, body: { kind: 'tm:util:unix-rm:runstate', command: 'run' } });
  t.notOk('commandResult' in done.body);
  t.match((await remove('/var/config/rest/downloads/f')).body.commandResult, 'No such file or directory');
  t.notOk('commandResult' in (await remove('-f /var/config/rest/downloads/f')).body);
  t.match((await remove('/etc/passwd')).body.commandResult, 'Operation not permitted');
});

/** Announces four bytes and goes after two. What was written is read before the end: an end in order overtakes nothing. */
async function breakOff(url: string, ca: string, path: string): Promise<void> {
  const headers = { ...basic('admin', 'admin'), 'content-range': '4-7/8', 'content-length': '4' };
  const outgoing = request(`${url}${path}`, { ca, method: 'POST', headers, agent: false });
  const closed = new Promise<void>((resolve) => outgoing.once('close', resolve));
  outgoing.on('error', () => {});
  await new Promise((resolve) => outgoing.write('ef', resolve));
  outgoing.socket?.end();
  await closed;
}
