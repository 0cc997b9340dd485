import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import t from 'tap';
import type { SimulatorOptions } from '../../src/index.ts';
import { skip, tclsh } from '../tclsh.ts';
import { basic, type RestClient } from './rest-client.ts';
import { type Stage, setStage, unitOf } from './stage.ts';

const ltm = '/mgmt/tm/ltm';
const rule = `when HTTP_REQUEST {
    if { [class match -- [HTTP::path] equals /Common/closed] } {
        HTTP::respond 403 content "closed"
        return
    }
}
`;

interface TrafficStage extends Stage {
  upstream: number;
}

/** A pool with a real member, a group of closed paths, a rule that reads it, a virtual server that has the rule. */
async function setTraffic(t: Parameters<typeof setStage>[0], options: SimulatorOptions = {}): Promise<TrafficStage> {
  const upstream = await startUpstream(t);
  const stage = await setStage(t, { dataPlane: true, tclsh, ...options });
  await must(stage.admin, 'POST', `${ltm}/pool`, {
    name: 'p',
    members: [{ name: `127.0.0.1:${upstream}`, address: '127.0.0.1' }],
  });
  await must(stage.admin, 'POST', `${ltm}/data-group/internal`, {
    name: 'closed',
    type: 'string',
    records: [{ name: '/closed' }],
  });
  await must(stage.admin, 'POST', `${ltm}/rule`, { name: 'r', apiAnonymous: rule });
  await must(stage.admin, 'POST', `${ltm}/virtual`, {
    name: 'v',
    destination: '/Common/10.0.0.1:80',
    ipProtocol: 'tcp',
    pool: '/Common/p',
    profiles: [{ name: 'tcp' }, { name: 'http' }],
    rules: ['/Common/r'],
  });
  return { ...stage, upstream };
}

t.test('a virtual server that was made over REST takes requests, and its rule judges them', { skip }, async (t) => {
  const { simulator } = await setTraffic(t);
  const { host, port } = await unitOf(simulator, 0).listener('/Common/v');
  t.equal(await get(host, port, '/open'), '200 upstream /open');
  t.equal(await get(host, port, '/closed'), '403 closed');
});

t.test('what is written over REST is in force for the next connection', { skip }, async (t) => {
  const { simulator, admin } = await setTraffic(t);
  const { host, port } = await unitOf(simulator, 0).listener('/Common/v');
  const group = `${ltm}/data-group/internal/~Common~closed`;
  for (let count = 0; count < 20; count += 1) {
    const path = `/p${count}`;
    await must(admin, 'PATCH', group, { records: [{ name: path }] });
    t.equal(await get(host, port, path), '403 closed');
    t.equal(await get(host, port, `/p${count - 1}`), `200 upstream /p${count - 1}`);
  }
  await must(admin, 'PATCH', `${ltm}/virtual/~Common~v`, { rules: [] });
  t.equal(await get(host, port, '/p19'), '200 upstream /p19');
  t.equal((await admin.call('DELETE', `${ltm}/virtual/~Common~v`)).status, 200);
  await t.rejects(unitOf(simulator, 0).listener('/Common/v'), { code: 'EDW_ERR_SIMULATOR_LISTENER' });
  await t.rejects(get(host, port, '/open'));
});

t.test('a rule that TMM would not load is refused over REST', { skip }, async (t) => {
  const { admin } = await setTraffic(t);
  const answer = await admin.call('PATCH', `${ltm}/rule/~Common~r`, {
    body: { apiAnonymous: 'when HTTP_REQUEST { nonsense }' },
  });
  t.equal(answer.status, 400);
  t.match(
    answer.body.message,
    '01070151:3: Rule [/Common/r] error: /Common/r:1: error: [undefined procedure: nonsense]',
  );
});

t.test('counters of a rule are where tools read them', { skip }, async (t) => {
  const { simulator, admin } = await setTraffic(t);
  const { host, port } = await unitOf(simulator, 0).listener('/Common/v');
  for (let count = 0; count < 3; count += 1) await get(host, port, '/open');
  for (const path of [`${ltm}/rule/stats`, `${ltm}/rule/~Common~r/stats`]) {
    const { text, status } = await admin.call('GET', path);
    t.equal(status, 200);
    t.match(
      text,
      '"https://localhost/mgmt/tm/ltm/rule/~Common~r:HTTP_REQUEST/stats":{"nestedStats":{"kind":"tm:ltm:rule:rulestats"',
    );
    t.match(text, '"totalExecutions":{"value":3}');
    t.match(text, '"failures":{"value":0}');
    t.match(text, '"eventType":{"description":"HTTP_REQUEST"}');
    t.match(text, '"tmName":{"description":"/Common/r"}');
  }
  t.equal(await unitOf(simulator, 0).classLookups(), 3);
  t.equal((await admin.call('GET', `${ltm}/rule/~Common~nowhere/stats`)).status, 404);
});

t.test('after a failover the other unit takes the traffic', { skip }, async (t) => {
  const { simulator, admin } = await setTraffic(t, { units: 2, syncDelayMs: 1 });
  const [a, b] = [unitOf(simulator, 0), unitOf(simulator, 1)];
  await must(admin, 'POST', '/mgmt/tm/cm', { command: 'run', utilCmdArgs: 'config-sync to-group failover_group' });
  await inSync(admin);
  const before = await a.listener('/Common/v');
  t.equal(await get(before.host, before.port, '/closed'), '403 closed');
  await t.rejects(b.listener('/Common/v'), { code: 'EDW_ERR_SIMULATOR_LISTENER' });
  await simulator.failover();
  const after = await b.listener('/Common/v');
  t.equal(await get(after.host, after.port, '/closed'), '403 closed');
  t.equal(await get(after.host, after.port, '/open'), '200 upstream /open');
  await t.rejects(a.listener('/Common/v'), { code: 'EDW_ERR_SIMULATOR_LISTENER' });
});

t.test('after a reboot the data plane runs what was saved', { skip }, async (t) => {
  const { simulator, admin, client } = await setTraffic(t, { rebootMs: 1 });
  await must(admin, 'POST', '/mgmt/tm/sys/config', { command: 'save' });
  await must(admin, 'PATCH', `${ltm}/data-group/internal/~Common~closed`, { records: [{ name: '/open' }] });
  await unitOf(simulator, 0).reboot();
  const { host, port } = await unitOf(simulator, 0).listener('/Common/v');
  t.equal(await get(host, port, '/open'), '200 upstream /open');
  t.equal(await get(host, port, '/closed'), '403 closed');
  t.equal((await client(basic('admin', 'admin')).call('GET', `${ltm}/virtual/~Common~v`)).status, 200);
});

t.test('an external group may be stale until it is written itself', { skip }, async (t) => {
  const { simulator, admin } = await setTraffic(t);
  const group = `${ltm}/data-group/external/~Common~paths`;
  const file = '/mgmt/tm/sys/file/data-group';
  await put(admin, 'one', '"/one",\n');
  await put(admin, 'two', '"/two",\n');
  const sourcePath = (name: string): string => `file:/var/config/rest/downloads/${name}`;
  await must(admin, 'POST', file, { name: 'f', type: 'string', sourcePath: sourcePath('one') });
  await must(admin, 'POST', `${ltm}/data-group/external`, { name: 'paths', externalFileName: '/Common/f' });
  await must(admin, 'PATCH', `${ltm}/rule/~Common~r`, {
    apiAnonymous: rule.replace('/Common/closed', '/Common/paths'),
  });
  const { host, port } = await unitOf(simulator, 0).listener('/Common/v');
  t.equal(await get(host, port, '/one'), '403 closed');
  unitOf(simulator, 0).inject({ kind: 'external-stale' });
  await must(admin, 'PATCH', `${file}/~Common~f`, { sourcePath: sourcePath('two') });
  t.equal(await get(host, port, '/one'), '403 closed', 'the old content');
  t.equal(await get(host, port, '/two'), '200 upstream /two');
  await must(admin, 'PATCH', group, { externalFileName: '/Common/f' });
  t.equal(await get(host, port, '/one'), '200 upstream /one');
  t.equal(await get(host, port, '/two'), '403 closed');
});

t.test('a simulator without its tclsh does not start, and says what to install', async (t) => {
  await t.rejects(setStage(t, { dataPlane: true, tclsh: '/nowhere/tclsh' }), { code: 'EDW_ERR_TCLSH_NOT_FOUND' });
});

t.test('a configuration that would not load is refused at the start', async (t) => {
  await t.rejects(setStage(t, { config: 'ltm virtual /Common/v {' }), {
    code: 'EDW_ERR_SIMULATOR_CONFIG',
    mend: String,
  });
});

t.test('a port that is taken is refused at the start', async (t) => {
  const port = await startUpstream(t);
  await t.rejects(setStage(t, { listen: { host: '127.0.0.1', port } }), { code: 'EDW_ERR_PORT_IN_USE' });
});

async function must(client: RestClient, method: string, path: string, body: unknown): Promise<void> {
  const answer = await client.call(method, path, { body });
  if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.text}`);
}

async function put(client: RestClient, name: string, text: string): Promise<void> {
  const headers = { 'content-range': `0-${text.length - 1}/${text.length}` };
  const answer = await client.call('POST', `/mgmt/shared/file-transfer/uploads/${name}`, { body: text, headers });
  if (answer.status !== 200) throw new Error(answer.text);
}

async function inSync(client: RestClient): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if ((await client.call('GET', '/mgmt/tm/cm/sync-status')).text.includes('"In Sync"')) return;
  }
  throw new Error('the pair did not come in sync');
}

/** Answers `upstream PATH`. Returns its port. */
async function startUpstream(t: Parameters<typeof setStage>[0]): Promise<number> {
  const server = createServer((request, response) => response.end(`upstream ${request.url}`));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return port;
}

/** One request on a connection of its own: `STATUS BODY`. */
function get(host: string, port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const chunks: Buffer[] = [];
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer')));
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => {
      const text = Buffer.concat(chunks).toString('latin1');
      resolve(`${text.split(' ')[1]} ${text.slice(text.indexOf('\r\n\r\n') + 4)}`);
      socket.destroy();
    });
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x.example\r\nConnection: close\r\n\r\n`);
  });
}
