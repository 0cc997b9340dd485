/** What the kernel lists as connections, read. */
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import t from 'tap';
import type { RunTool } from '../../driver/index.ts';
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

t.test('sessions that can not be read are not taken for none', async (t) => {
  const text = HEAD + line('0100007F:0016', '0563000A:D431', '01');
  const root = t.testdir({ four: { proc: { net: { tcp: text } } }, none: { proc: { net: { tcp: text, tcp6: {} } } } });
  t.strictSame(
    await readSessions(`${root}/four`),
    [{ localPort: 22, peer: '10.0.99.5' }],
    'without IPv6 there are none',
  );
  await t.rejects(readSessions(`${root}/none`), { code: 'EISDIR' });
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
  /** What one program prints; the others have no tables. */
  const printing =
    (program: string, ...chains: string[]): RunTool =>
    async (call) => ({
      status: 0,
      stdout:
        call.program === program && call.args.length === 0
          ? ['*mangle', ...chains.map((chain) => `:${chain} - [0:0]`), 'COMMIT', ''].join('\n')
          : '',
      stderr: '',
    });
  const none = printing('');
  const missing: RunTool = () => Promise.reject(new Error('there is no such program'));
  const root = t.testdir({});
  const at = async (name: string, files: Record<string, string>): Promise<string> => {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(`${root}/${name}${path.slice(0, path.lastIndexOf('/'))}`, { recursive: true });
      await writeFile(`${root}/${name}${path}`, text);
    }
    return `${root}/${name}`;
  };
  const uid = process.getuid?.() ?? 0;
  const find = (run: RunTool, root: string, of = uid): Promise<string | null> => findKubernetes({ run, root, uid: of });
  const plain = await at('plain', { '/proc/1/comm': 'systemd\n', '/proc/self/comm': 'kubelet\n' });
  const foreign = ['INPUT', 'DOCKER-USER', 'EW-IN', 'MY-KUBE-X'];
  t.equal(await find(printing('iptables-nft-save', ...foreign), plain), null);
  t.equal(await find(missing, plain), null);
  for (const program of ['iptables-nft', 'ip6tables-nft', 'iptables-legacy', 'ip6tables-legacy'])
    for (const chain of ['KUBE-FIREWALL', 'cali-INPUT', 'CILIUM_INPUT'])
      t.equal(
        await find(printing(`${program}-save`, 'INPUT', chain), plain),
        `there is a chain ${chain}`,
        `${program}, whichever is ours`,
      );
  const files = ['/var/lib/kubelet/config.yaml', '/var/lib/rancher/k3s/agent/x', '/var/lib/rancher/rke2/agent/x'];
  for (const [n, file] of [...files, '/var/snap/microk8s/current/args/kubelet'].entries())
    t.match(await find(none, await at(`file${n}`, { [file]: '' })), /^there is \/var\//, file);
  for (const name of ['kubelet', 'kubelite', 'k3s', 'k3s-server', 'k3s-agent', 'rke2']) {
    const node = await at(name, { '/proc/77/comm': `${name}\n` });
    t.equal(await find(none, node), `process 77 is ${name}`);
    t.equal(await find(none, node, uid + 1), null, 'what somebody else runs may be called anything');
  }
});
