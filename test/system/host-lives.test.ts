/**
 * What a host needs to live passes whatever its policy says, in a real kernel: who manages it, neighbours, its lease, answers to
 * what it asks, itself. The policy here lets in nobody.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createHostPoint, createNetfilter, createToolRun, hostCounters } from '@edgeward/host-agent';
import { compileDocuments, HOST_ADDRESSES, requireHosts, startHost, type TestHost } from '@edgeward/test/kit';
import t, { type Test } from 'tap';

requireHosts(t);
t.jobs = 2;

const { inet, inet6 } = HOST_ADDRESSES;
const [ADMIN, ADMIN6, STRANGER, STRANGER6] = ['10.99.0.9', '2001:db8:99::9', '10.66.6.6', '2001:db8:66::6'];
const NOBODY = compileDocuments(
  [
    { kind: 'Workload', name: 'db', labels: { app: 'db' }, addresses: [inet], point: 'h', mode: 'enforce' },
    { kind: 'Point', name: 'h', management: ['10.99.0.0/24', '2001:db8:99::/64'] },
    {
      kind: 'Policy',
      name: 'p',
      rules: [{ id: 'none', from: [{ any: true }], to: "app == 'db'", action: 'deny' }],
    },
  ],
  { revision: 1, point: 'h' },
);

/** An answer to one datagram, `from` a port of its own; nothing within some seconds is silence. */
const ASK = `const [from, fromPort, to, toPort] = process.argv.slice(1);
const socket = require('node:dgram').createSocket({ type: 'udp4', reuseAddr: true });
socket.on('message', () => { console.log('answered'); process.exit(0); });
socket.bind({ address: from, port: Number(fromPort) }, () => socket.send('asked', Number(toPort), to));
setTimeout(() => { console.log('silent'); process.exit(0); }, 5000);`;
const ECHO = `const [address, port] = process.argv.slice(1);
const socket = require('node:dgram').createSocket({ type: 'udp4', reuseAddr: true });
socket.on('message', (message, { port, address }) => socket.send(message, port, address));
socket.bind(Number(port), address, () => console.log('listening'));`;

/** Listening when it resolves; ends with the test. */
async function startEcho(
  t: Test,
  [program = '', ...where]: readonly string[],
  address: string,
  port: number,
): Promise<void> {
  const args = [...where, process.execPath, '-e', ECHO, address, String(port)];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: '/usr/sbin:/usr/bin' } });
  t.teardown(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
}

const peerOf = (host: TestHost): string[] => host.where.map((word) => word.replace(/-host$/, '-peer'));

for (const backend of ['nft', 'legacy'] as const) {
  t.test(`under a policy that lets in nobody a host still lives (${backend})`, async (t) => {
    const host = await startHost(t);
    const [onHost, atPeer] = [createToolRun({ where: host.where }), createToolRun({ where: peerOf(host) })];
    const netfilter = createNetfilter(backend, onHost);
    const denied = async (): Promise<number> =>
      (await hostCounters(netfilter)).denials.reduce((sum, { packets }) => sum + packets, 0);
    const point = createHostPoint({
      name: 'h',
      options: { mark: { mask: 0x0fff0000, shift: 16 }, verdict: 'exclusive', publishedPorts: false },
      netfilter,
    });
    await host.probe().listen('tcp/22');
    const call = (port: string, ...from: string[]): Promise<string[]> =>
      host.call(from.map((address) => ({ from: address, to: address.includes(':') ? inet6 : inet, port })));
    await point.apply(NOBODY);

    t.strictSame(await call('tcp/22', ADMIN, ADMIN6, STRANGER, STRANGER6), ['open', 'open', 'silent', 'silent']);
    t.strictSame(await call('tcp/80', ADMIN, ADMIN6), ['silent', 'silent'], 'management is for tcp/22');

    const before = await denied();
    for (const forget of [onHost, atPeer]) await forget({ program: 'ip', args: ['neigh', 'flush', 'all'] });
    t.strictSame(await call('tcp/22', ADMIN, ADMIN6), ['open', 'open'], 'neighbours are found again');

    const node = (where: readonly string[], script: string, ...args: string[]) => {
      const run = createToolRun({ where });
      return run({ program: process.execPath, args: ['-e', script, ...args] }).then(({ stdout }) => stdout.trim());
    };
    await startEcho(t, host.where, inet, 68);
    t.equal(await node(peerOf(host), ASK, STRANGER, '67', inet, '68'), 'answered', 'its lease is renewed');

    await startEcho(t, peerOf(host), STRANGER, 53);
    t.equal(await node(host.where, ASK, inet, '0', STRANGER, '53'), 'answered', 'what it asks is answered');
    await startEcho(t, host.where, '0.0.0.0', 5300);
    t.equal(await node(host.where, ASK, '127.0.0.1', '0', '127.0.0.1', '5300'), 'answered', 'it may talk to itself');
    t.equal(await node(host.where, ASK, inet, '0', inet, '5300'), 'answered', 'under each of its addresses');
    t.equal(await denied(), before, 'and of all this nothing counts as denied');
    t.equal(await node(peerOf(host), ASK, STRANGER, '6767', inet, '68'), 'silent', 'a lease comes from one port alone');
    t.equal(await denied(), before + 1);
  });
}
