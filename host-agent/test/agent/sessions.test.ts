/** What the kernel lists as connections, read. */
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import t from 'tap';
import type { Netfilter } from '../../driver/index.ts';
import { findKubernetes } from '../../src/safety/kubernetes.ts';
import { isOwn, ownAddresses, parseSessions, readSessions } from '../../src/safety/sessions.ts';

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const line = (local: string, remote: string, state: string): string =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000     0        0 12345 1 0000000000000000 20 4 30 10 -1\n`;

t.test('established connections, whatever family they come in', async (t) => {
  const cases = [
    {
      name: 'IPv4',
      text: line('0100007F:0016', '0563000A:D431', '01'),
      expect: [{ localPort: 22, peer: '10.0.99.5' }],
    },
    { name: 'listening', text: line('00000000:0016', '00000000:0000', '0A'), expect: [] },
    { name: 'closing', text: line('0100007F:0016', '0563000A:D431', '06'), expect: [] },
    {
      name: 'IPv6',
      text: line('B80D0120000000000000000001000000:0016', 'B80D0120000000000000000009000000:D431', '01'),
      expect: [{ localPort: 22, peer: '2001:db8:0:0:0:0:0:9' }],
    },
    {
      name: 'IPv4 in a socket of IPv6',
      text: line('0000000000000000FFFF00000100007F:1D13', '0000000000000000FFFF0000090071CB:D431', '01'),
      expect: [{ localPort: 7443, peer: '203.113.0.9' }],
    },
    { name: 'what is no line', text: 'sl\n\n  9: nonsense\n', expect: [] },
  ];
  for (const { name, text, expect } of cases) t.strictSame(parseSessions(HEAD + text), expect, name);
});

t.test('a connection of this machine to itself is none that a policy judges', async (t) => {
  const server = createServer((socket) => socket.on('error', () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  t.teardown(() => {
    socket.destroy();
    server.close();
  });
  t.notOk((await readSessions()).some(({ localPort }) => localPort === port));
});

t.test('an address is one however it is written', async (t) => {
  const own = new Set(['10.0.0.1', 'fd00:0:0:0:0:0:0:1']);
  const cases: [string, boolean][] = [
    ['10.0.0.1', true],
    ['::ffff:10.0.0.1', true],
    ['fd00::1', true],
    ['fd00:0:0:0:0:0:0:1', true],
    ['fd00:0000::0001', true],
    ['127.0.0.1', true],
    ['127.8.9.1', true],
    ['::1', true],
    ['10.0.0.2', false],
    ['fd00::2', false],
    ['::2', false],
  ];
  for (const [address, expect] of cases) t.equal(isOwn(address, own), expect, address);
  t.ok(isOwn('127.0.0.1', ownAddresses()));
});

t.test('a node of Kubernetes is told by its chains, its files, or its kubelet', async (t) => {
  const filter = (...chains: string[]): Netfilter =>
    ({
      families: ['inet'],
      rules: async () => new Map(chains.map((name) => [name, { hashes: [], texts: [] }])),
    }) as unknown as Netfilter;
  const root = t.testdir({});
  const at = async (name: string, files: Record<string, string>): Promise<string> => {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(`${root}/${name}${path.slice(0, path.lastIndexOf('/'))}`, { recursive: true });
      await writeFile(`${root}/${name}${path}`, text);
    }
    return `${root}/${name}`;
  };
  const plain = await at('plain', { '/proc/1/comm': 'systemd\n', '/proc/self/comm': 'kubelet\n' });
  t.equal(await findKubernetes(filter('INPUT', 'DOCKER-USER', 'EW-IN'), plain), null);
  t.match(await findKubernetes(filter('INPUT', 'KUBE-FIREWALL'), plain), /KUBE-FIREWALL/);
  t.match(await findKubernetes(filter('cali-INPUT'), plain), /cali-INPUT/);
  t.match(await findKubernetes(filter(), await at('file', { '/var/lib/kubelet/config.yaml': '' })), /config\.yaml/);
  t.match(await findKubernetes(filter(), await at('process', { '/proc/77/comm': 'kubelet\n' })), /process 77/);
});
