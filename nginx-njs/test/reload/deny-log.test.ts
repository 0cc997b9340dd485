/**
 * The deny log of mode reload is NGINX's own: what it loses when workers are killed, with and without a buffer, and that
 * traffic goes on when it can't be written.
 */
import { createSocket } from 'node:dgram';
import { mkdir, readFile, rm, symlink } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { compileDocuments, freePort, requireNginx } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { runs } from '../../../test/parity/random-runs.ts';
import { killWorkersIn } from '../fixtures/killing.ts';
import { frontDocument, smallPolicy } from '../fixtures/policies.ts';
import { eventually } from '../server/real-nginx.ts';
import { FRONT, type ReloadStand, startedStand } from './reload-stand.ts';

await requireNginx(t, 'debian-12');

const CLIENTS = 16;
/** Of a buffer, which the workers have each. */
const BUFFER_BYTES = 65_536;

const server = (own: string): Record<string, string> => ({
  'order-front': `set $edgeward_server order-front; set $edgeward_port 443;
    include snippets/protect-reload.conf; ${own} ${FRONT}`,
});

t.test('a killed worker loses no line that it had a moment to write', async (t) => {
  const { refused, missing, kills } = await killedUnderLoad(t, '');
  t.comment(`unbuffered: ${missing} of ${refused} denials are in no line, after ${kills} kills of all workers`);
  // The line is written behind the answer: what was answered and not written is at most one request a connection.
  t.ok(refused > 0 && missing <= kills * CLIENTS, `${missing} are missing`);
});

t.test('with a buffer it loses what is in it, and no more', async (t) => {
  const own = `access_log log/deny.log edgeward_deny buffer=${BUFFER_BYTES} flush=1s if=$edgeward_log;`;
  const { refused, missing, kills, bytesALine } = await killedUnderLoad(t, own);
  t.comment(`buffer=64k: ${missing} of ${refused} denials are in no line, after ${kills} kills of all workers`);
  const most = kills * (2 * Math.ceil(BUFFER_BYTES / bytesALine) + CLIENTS);
  t.ok(refused > 0 && missing <= most, `${missing} are missing, of ${most} that two buffers hold`);
});

t.test('a log that can not be written denies and lets in as before, and error_log says why', async (t) => {
  const stand = await startedStand(t, { workers: 1 });
  await stand.first.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  await stand.kill();
  await rm(stand.denyLog, { force: true });
  await symlink('/dev/full', stand.denyLog);
  await stand.start();
  const agent = new Agent();
  for (let round = 0; round < 5; round += 1) {
    t.equal((await ask(stand, '198.51.100.9', agent)).status, 403);
    t.equal((await ask(stand, '127.0.0.1', agent)).status, 200);
  }
  const said = async (): Promise<boolean> =>
    /deny\.log" (failed|was incomplete).*No space left/.test(await readFile(`${stand.folder}/error.log`, 'utf8'));
  t.ok(await eventually(said), 'it says so');
  t.match(await stand.first.inspect(), { state: 'loaded', revision: 1, drift: [] });
});

t.test('a log that can not be opened keeps the policy that is there, and is named', async (t) => {
  const stand = await startedStand(t, { workers: 1 });
  await stand.first.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  await rm(stand.denyLog, { force: true });
  await mkdir(stand.denyLog);
  await t.rejects(stand.first.apply(smallPolicy({ revision: 2 })), {
    code: 'EDW_ERR_NGINX_CONFIG',
    message: /deny\.log/,
  });
  const agent = new Agent();
  t.equal((await ask(stand, '127.0.0.1', agent)).status, 200, 'revision 1, whole');
  t.equal((await ask(stand, '198.51.100.9', agent)).status, 403);
  await rm(stand.denyLog, { recursive: true });
  await stand.first.apply(smallPolicy({ revision: 2 }));
  t.equal((await ask(stand, '127.0.0.1', agent)).status, 403);
});

t.test('a datagram that is denied has a line in error_log too, unless that is told to keep quiet', async (t) => {
  const [loud, quiet] = [await freePort(), await freePort()];
  const dns = (port: number, own: string): string => `server { listen 127.0.0.1:${port} udp; ${own}
    set $edgeward_server names; set $edgeward_port 53; set $edgeward_upstream db;
    include snippets/protect-reload-stream.conf; }`;
  const stand = await startedStand(t, {
    workers: 1,
    streamExtra: `${dns(loud, '')} ${dns(quiet, 'error_log own.log crit;')}`,
  });
  const document = { ...(frontDocument('names', 'enforce') as object), protocol: 'tcp', ports: ['udp/53'] };
  await stand.first.apply(compileDocuments([document], { revision: 1 }));
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  const told = async (): Promise<number> => (await stand.denials()).length;
  for (const [at, port] of [loud, loud, quiet, quiet].entries()) {
    socket.send('hello', port, '127.0.0.1');
    t.ok(await eventually(async () => (await told()) > at), 'it is in the deny log');
  }
  const errors = await readFile(`${stand.folder}/error.log`, 'utf8');
  t.equal(errors.split('\n').filter((line) => line.includes('udp client')).length, 2);
  t.equal(await readFile(`${stand.folder}/own.log`, 'utf8'), '');
});

interface Loss {
  refused: number;
  missing: number;
  kills: number;
  bytesALine: number;
}

/** By reference: each refusal that a client saw, held against the lines. */
async function killedUnderLoad(t: Test, own: string): Promise<Loss> {
  const stand = await startedStand(t, { http: server(own) });
  await stand.first.apply(smallPolicy({ revision: 1 }));
  const seen: string[] = [];
  let isRunning = true;
  const clients = Array.from({ length: CLIENTS }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (isRunning) {
      const { ref } = await ask(stand, '198.51.100.9', agent);
      if (ref !== '') seen.push(ref);
    }
    agent.destroy();
  });
  t.teardown(async () => {
    isRunning = false;
    await Promise.all(clients);
  });
  const kills = runs(3);
  for (let kill = 0; kill < kills; kill += 1) {
    const before = seen.length;
    if (!(await eventually(async () => seen.length >= before + 500))) throw new Error('nobody is served');
    t.ok((await killWorkersIn(stand.folder)) > 0, 'workers were killed');
  }
  isRunning = false;
  await Promise.all(clients);
  // What a worker that lives has in its buffer it writes within a second.
  let text = '';
  for (let last = -1; text.length !== last; await sleep(1500)) {
    last = text.length;
    text = await readFile(stand.denyLog, 'utf8');
  }
  const lines = text.split('\n').filter((line) => line !== '');
  const told = new Set(lines.map((line) => (JSON.parse(line) as { ref: string }).ref));
  const missing = seen.filter((ref) => !told.has(ref)).length;
  return { refused: seen.length, missing, kills, bytesALine: Math.floor(text.length / lines.length) };
}

/** Without an answer, 0. */
function ask(stand: ReloadStand, source: string, agent: Agent): Promise<{ status: number; ref: string }> {
  return new Promise((resolve) => {
    const port = stand.ports['order-front'];
    const headers = { 'X-Test-Source': source };
    const outgoing = request({ host: '127.0.0.1', port, agent, headers, timeout: 20_000 }, (response) => {
      const ref = response.headers['edgeward-ref'];
      const said = { status: response.statusCode ?? 0, ref: typeof ref === 'string' ? ref : '' };
      response.on('close', () => resolve(said)).resume();
    });
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => setTimeout(resolve, 2, { status: 0, ref: '' })).end();
  });
}
