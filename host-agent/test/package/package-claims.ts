/** What is claimed of the package, for one suite of Debian. */
import type { Test } from 'tap';
import { startHostProbe } from '../../../test/kit/hosts-calling.ts';
import { archiveClaims } from './archive-claims.ts';
import { bootedClaims } from './booted-claims.ts';
import { ALLOWED, DENIED } from './configured-host.ts';
import { ADDRESSES, type Container, type Image, imageOf, type Suite, startContainer } from './containers.ts';
import { agentPid, configure, rulesIn, startAgent, stopAgent } from './installed-agent.ts';
import type { TestPackages } from './packages.ts';

const UNITS = ['edgeward-agent.service', 'edgeward-agent-restore.service'];
const FILES =
  'find / -xdev ! -path "/packages/*" ! -path "/tmp/*" ! -path "/run/systemd/*" ! -path "/var/log/*" ! -path "/var/lib/dpkg/*" ! -path "/var/cache/*" | sort';
/** systemd's own scale: 0 is most closed, 10 most open. */
const MOST_EXPOSED = 2;

export async function packageClaims(t: Test, suite: Suite, built: Promise<TestPackages>): Promise<void> {
  const [image, packages] = await Promise.all([imageOf(suite), built]);
  // Side by side: one waits for systemd, the other for calls that nobody answers.
  t.jobs = 2;
  await Promise.all([
    t.test('a host that boots runs it as its units say', (t) => bootedClaims(t, image, packages)),
    t.test('from its installation to its removal', (t) => lifeOfPackage(t, image, packages)),
  ]);
}

async function lifeOfPackage(t: Test, image: Image, packages: TestPackages): Promise<void> {
  const container = await startContainer(t, image, packages.folder);
  const before = await container.run(FILES);
  await install(container, 'older');
  await t.test('it installs without a network, and does nothing before the host is enrolled', async (t) => {
    t.match(await container.run('edgeward --version'), 'edgeward 1.0.0');
    t.match(await container.run('getent passwd edgeward-agent'), /:\/var\/lib\/edgeward-agent:\/usr\/sbin\/nologin$/m);
    t.match(await container.run('stat -c "%a %U" /var/lib/edgeward-agent'), '700 edgeward-agent');
    for (const unit of UNITS) t.match(await container.run(`systemctl is-enabled ${unit}`), 'enabled', unit);
    t.notMatch(await rulesIn(container), /EW-|ew4/, 'the packet filter is as it was');
    t.match(await container.run('edgeward agent restore'), 'No policy is known on this host');
  });
  await t.test('its units are sound, and closed as far as V8 and a packet filter let them', async (t) => {
    const paths = UNITS.map((unit) => `/usr/lib/systemd/system/${unit}`);
    t.equal(await container.run(`systemd-analyze verify ${paths.join(' ')}`), '');
    for (const path of paths) {
      const said = await container.run(`systemd-analyze security --offline=true --no-pager ${path} | tail -n 1`);
      const exposure = Number(/: (\d+\.\d+) /.exec(said)?.[1]);
      t.ok(exposure <= MOST_EXPOSED, said.trim());
    }
  });
  await t.test('an upgrade of a configured host leaves no gap', (t) => upgradeWithoutGap(t, container));
  await t.test('`agent remove` takes the rules away, and removing the package does not', async (t) => {
    t.match(await container.run('edgeward agent restore'), 'Revision 7 is in force (enforce)');
    const rules = await rulesIn(container);
    t.match(rules, /EW-META/);
    t.match(await container.run('dpkg --remove edgeward-agent'), /the rules of this host STAY IN FORCE/);
    t.equal(await rulesIn(container), rules, 'after dpkg --remove');
    t.match(await container.run('dpkg --purge edgeward-agent'), /Rules that are in the packet filter stay/);
    t.equal(await rulesIn(container), rules, 'after dpkg --purge');
    await install(container, 'newer');
    await container.run('edgeward agent remove');
    t.notMatch(await rulesIn(container), /EW-|ew[46]/, 'after agent remove');
    t.notMatch(await container.run('dpkg --purge edgeward-agent'), /STAY IN FORCE/);
    // A user stays, as Debian has it: files of its number may be anywhere. The lock is that of iptables itself.
    const own = /^\/(etc\/(passwd|group|shadow|gshadow|subuid|subgid)-?|etc\/\.pwd\.lock|run\/xtables\.lock)$/gm;
    const left = (await container.run(FILES)).split('\n').filter((path) => !before.includes(`${path}\n`));
    t.strictSame(
      left.filter((path) => !path.match(own)),
      [],
      'no file is left',
    );
  });
  await t.test('the archive is installed as its page says', (t) => archiveClaims(t, container));
}

async function upgradeWithoutGap(t: Test, container: Container): Promise<void> {
  await configure(container, t.testdir());
  await container.run('echo "reaction: report" >>/etc/edgeward/agent.yaml');
  await startAgent(container);
  const [rules, pid] = [await rulesIn(container), await agentPid(container)];
  t.match(rules, /EW-META/, 'the policy is in force before any service was reached');
  for (const address of [...ALLOWED, ...DENIED]) await container.addPeerAddress(address);
  const probe = startHostProbe(container.peer, container.network);
  t.teardown(() => probe.close());
  await probe.listen('tcp/5432');
  const live = await Promise.all(ALLOWED.map((from) => probe.connect(flowFrom(from))));
  const watch = watching(() => probe.call([...ALLOWED, ...DENIED].map(flowFrom)));

  await install(container, 'newer');
  t.equal(await agentPid(container), pid, 'the old program watches until the new one is started');
  await stopAgent(container);
  await startAgent(container);
  const outcomes = await watch.end();

  const wanted = [...ALLOWED.map(() => 'open'), ...DENIED.map(() => 'silent')];
  t.ok(outcomes.length > 0);
  t.strictSame(
    outcomes.filter((round) => round.join() !== wanted.join()),
    [],
    `${outcomes.length} rounds of calls`,
  );
  for (const connection of live) t.ok(await probe.echo(connection), 'a live connection lives on');
  t.equal(await rulesIn(container), rules, 'nothing was written');
  t.match(await container.run('edgeward --version'), 'edgeward 1.0.0');
  t.match(await container.run('dpkg-query -W edgeward-agent'), /\t1\.0\.1$/m);
  t.match(await container.run('cat /etc/edgeward/agent.yaml'), 'reaction: report', 'the configuration is as it was');
  t.comment(await container.run(`grep -E 'VmRSS|RssAnon' /proc/${await agentPid(container)}/status`));
  await stopAgent(container);
}

const flowFrom = (from: string): { from: string; to: string; port: string } => ({
  from,
  to: from.includes(':') ? ADDRESSES.inet6 : ADDRESSES.inet,
  port: 'tcp/5432',
});

const MOST_ROUNDS = 400;
const ROUND_MS = 150;

/** Calls again and again, however long a call takes, until told to end. */
function watching<Outcome>(call: () => Promise<Outcome>): { end(): Promise<Outcome[]> } {
  const rounds: Promise<Outcome>[] = [];
  const again = (): void => {
    if (rounds.length < MOST_ROUNDS) rounds.push(call());
  };
  const timer = setInterval(again, ROUND_MS);
  again();
  return {
    end() {
      clearInterval(timer);
      again();
      return Promise.all(rounds);
    },
  };
}

/** Whether it is safe on a disk is not waited for. */
async function install(container: Container, name: 'older' | 'newer'): Promise<void> {
  await container.run(`DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io --install /packages/${name}.deb`);
}
