import { connect } from 'node:tls';
import t from 'tap';
import { randomCall, randomOf } from './random-calls.ts';
import { basic, type Response } from './rest-client.ts';
import { setStage, unitOf } from './stage.ts';

const given = Number(process.env.EDGEWARD_SEED);
const seed = Number.isInteger(given) && given > 0 ? given : 1 + Math.floor(Math.random() * 0x7ffffffe);
const times = Number(process.env.EDGEWARD_RUNS ?? 1);
const count = Math.ceil(2_000 * (times > 0 ? times : 1));

t.test('whatever is called, there is an answer of a known form, and the unit goes on', async (t) => {
  t.comment(`EDGEWARD_SEED=${seed}`);
  const random = randomOf(seed);
  const { simulator, client } = await setStage(t, { units: 2, rebootMs: 1 });
  const admin = client(basic('admin', 'admin'));
  const forms = new Map<string, number>();
  for (let index = 0; index < count; index += 1) {
    const { method, path, headers, body } = randomCall(random);
    const answer = await admin.call(method, path, { headers, ...(body === undefined ? {} : { body }) });
    const form = formOf(method, answer);
    forms.set(form, (forms.get(form) ?? 0) + 1);
    if (form === 'unknown')
      t.fail(`${method} ${path}: ${answer.status} ${answer.text.slice(0, 200)}`, { headers, body });
  }
  t.comment(JSON.stringify([...forms]));
  const after = await client(basic('admin', 'admin')).call('GET', '/mgmt/tm/sys/ready');
  t.equal(after.status, 200, 'it is ready as before');
  t.equal(unitOf(simulator, 0).calls().length, count + 1, 'every call was recorded');
});

t.test('what is no request ends its own connection alone', async (t) => {
  const { admin, simulator } = await setStage(t);
  const { hostname, port } = new URL(unitOf(simulator, 0).url);
  const random = randomOf(seed);
  const lines = [
    'GET\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    `GET /${'x'.repeat(70_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    'POST /mgmt/tm/ltm/pool HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
    'POST /mgmt/tm/ltm/pool HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST /mgmt/tm/ltm/pool HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    `GET /mgmt/tm HTTP/1.1\r\n${'A: b\r\n'.repeat(5_000)}\r\n`,
    Buffer.from(Array.from({ length: 4_000 }, () => Math.floor(random() * 256))),
  ];
  for (const line of lines) await write(hostname, Number(port), simulator.ca, line);
  t.equal((await admin.call('GET', '/mgmt/tm/sys/ready')).status, 200);
});

function formOf(method: string, answer: Response): string {
  if (method === 'HEAD') return 'head';
  if (answer.text === '') return answer.status === 200 ? 'empty' : 'unknown';
  if (/^<!DOCTYPE html>/.test(answer.text)) return 'page';
  const { code, message, errorStack, apiError, kind } = answer.body;
  if (answer.status === 200) return answer.text.startsWith('{') ? 'object' : 'unknown';
  if (code !== answer.status || typeof message !== 'string') return 'unknown';
  if (kind === ':resterrorresponse') return 'restjavad';
  return Array.isArray(errorStack) && (typeof apiError === 'number' || code === 202) ? 'mcpd' : 'unknown';
}

/** Sends bytes over TLS and waits until the other side ends, or for a while. */
async function write(host: string, port: number, ca: string, content: string | Buffer): Promise<void> {
  const socket = connect({ host, port, ca });
  socket.on('error', () => {});
  socket.setTimeout(2_000, () => socket.destroy());
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.once('secureConnect', () => socket.end(content));
  socket.resume();
  await closed;
}
