/** What tests do to hosts stays in those hosts, and goes with them. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { createHostPoint, createNetfilter, createToolRun } from '@edgeward/host-agent';
import t from 'tap';
import { compileDocuments, requireHosts, startHost } from './index.ts';

requireHosts(t);

const execute = promisify(execFile);
const KIT = new URL('hosts.ts', import.meta.url).href;

/** On the machine itself; only read. */
async function machine(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await execute(program, args, { env: { PATH: '/usr/sbin:/usr/bin', LC_ALL: 'C' } });
  return stdout;
}

/** What of the machine's own packet filter could be ours. Containers of other tests change the rest of it meanwhile. */
async function ourWords(): Promise<string> {
  const programs = ['iptables-nft-save', 'ip6tables-nft-save', 'iptables-legacy-save', 'ip6tables-legacy-save'];
  const rules = await Promise.all(programs.map((program) => machine(program)));
  const lines = [...rules, await machine('ipset', 'list', '-n')].join('\n').split('\n');
  return lines.filter((line) => /EW-|^ew[46]|kit-was-here/.test(line)).join('\n');
}

const namespaces = async (): Promise<string[]> =>
  (await machine('ip', 'netns', 'list')).split('\n').map((line) => line.split(' ')[0] ?? '');

t.test("what a host does to its packet filter never reaches the machine's own", async (t) => {
  const before = await ourWords();
  const host = await startHost(t);
  for (const backend of ['nft', 'legacy'] as const) {
    const netfilter = createNetfilter(backend, createToolRun({ where: host.where }));
    const options = { mark: null, verdict: 'exclusive', publishedPorts: true } as const;
    const policy = compileDocuments(
      [
        { kind: 'Workload', name: 'db', labels: { app: 'db' }, addresses: ['10.40.0.7'], point: 'h', mode: 'enforce' },
        { kind: 'Point', name: 'h', management: ['10.99.0.0/24'] },
      ],
      { revision: 1, point: 'h' },
    );
    await host.run('ipset', 'create', `kit-was-here-${backend}`, 'hash:net');
    await createHostPoint({ name: 'h', options, netfilter }).apply(policy);
    t.match(await host.run(`iptables-${backend}-save`), /EW-META/, `${backend}: it is in force there`);
  }
  t.equal(await ourWords(), before);
  const [name = ''] = host.where.slice(-1);
  t.ok((await namespaces()).includes(name));
  await host.close();
  t.notOk((await namespaces()).includes(name), 'and it goes with the test');
});

t.test('what a test that was killed left behind goes with the next one', async (t) => {
  const script = `const { startHost } = await import(${JSON.stringify(KIT)});
    const host = await startHost({ teardown() {} });
    console.log(host.where.at(-1));
    setInterval(() => {}, 1000);`;
  const args = ['--conditions=edgeward-source', '--no-warnings', '--input-type=module', '-e', script];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => void child.kill('SIGKILL'));
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const left = said.toString().trim();
  child.kill('SIGKILL');
  await once(child, 'close');
  t.ok((await namespaces()).includes(left), 'it is left');
  const host = await startHost(t);
  t.notOk((await namespaces()).includes(left), 'and swept away');
  await host.close();
});
