/** What is claimed of the package under a service manager: its units as they are, with nothing taken away from them. */
import { copyFile, cp, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type BootedHost, bootHost } from './booted-host.ts';
import { writeConfiguredState } from './configured-host.ts';
import type { Image } from './containers.ts';
import type { TestPackages } from './packages.ts';

const AGENT = 'edgeward-agent.service';
const RESTORE = 'edgeward-agent-restore.service';
const STATE = '/var/lib/edgeward-agent';
const RULES = "(iptables-nft-save -t filter; ip6tables-nft-save -t filter) 2>/dev/null | grep '^-A' || true";
const AS_ENROLLED = `cp -a /state/. ${STATE}; chown -R edgeward-agent:edgeward-agent ${STATE}`;
const MANUAL = new URL('../../../docs/host.md', import.meta.url);
const LEGACY_RULES = RULES.replaceAll('-nft-', '-legacy-');
/** CAP_NET_ADMIN and CAP_NET_RAW. */
const TWO_CAPABILITIES = '0000000000003000';

export async function bootedClaims(t: Test, image: Image, { folder }: TestPackages): Promise<void> {
  const host = await bootHost(t, image.archive);
  for (const name of ['older.deb', 'newer.deb']) await copyFile(join(folder, name), join(host.root, name));
  await host.run('dpkg --force-unsafe-io --install /older.deb');
  t.equal(await shown(host, AGENT, 'ActiveState'), 'inactive', 'who is not enrolled is not run');
  t.equal(await shown(host, AGENT, 'ConditionResult'), 'no');

  await enrolled(host, t.testdir());
  await host.run(`systemctl start ${AGENT}`);
  await running(host);
  const rules = await host.run(RULES);
  t.match(rules, /-A EW-META/, 'last-known-good is in force, with no service in reach');
  const first = await shown(host, AGENT, 'MainPID');
  t.match(await host.run(rightsOfProcess(first)), rightsOf(TWO_CAPABILITIES, '[1-9]\\d*'));
  for (const program of ['nft', 'ulogd'])
    await host.run(
      polling(
        `cat /sys/fs/cgroup/system.slice/${AGENT}/cgroup.procs | xargs -I{} cat /proc/{}/comm | grep -qx ${program}`,
      ),
    );

  await host.run('dpkg --force-unsafe-io --install /newer.deb');
  await running(host);
  t.not(await shown(host, AGENT, 'MainPID'), first, 'an upgrade starts the new program');
  t.equal(await host.run(RULES), rules, 'and changes no rule');

  await host.run(`kill -KILL ${await shown(host, AGENT, 'MainPID')}`);
  await host.run(polling(`[ "$(systemctl show -P NRestarts ${AGENT})" = 1 ]`));
  await running(host);
  t.equal(await host.run(RULES), rules, 'killed, it is started again');

  await host.reboot();
  t.equal(await shown(host, RESTORE, 'Result'), 'success');
  const [restored, network] = [await enteredAt(host, RESTORE), await enteredAt(host, 'network-pre.target')];
  t.ok(restored > 0 && restored <= network, 'after a boot the policy is in force before there is a network');
  await running(host);
  t.equal(await host.run(RULES), rules);

  await host.run(`systemctl disable --now ${AGENT} ${RESTORE}; edgeward agent remove`);
  t.equal(await host.run(RULES), '', '`agent remove` takes them away');
  await legacyClaims(t, host);
}

/** The drop-in for a host whose rules are in iptables-legacy, put there as docs/host.md says; then the package goes. */
async function legacyClaims(t: Test, host: BootedHost): Promise<void> {
  const documented = /```sh\n([^`]*legacy-backend\.conf[^`]*)```/.exec(await readFile(MANUAL, 'utf8'))?.[1] ?? 'false';
  const start = `${AS_ENROLLED}; systemctl enable --now ${RESTORE} ${AGENT}`;
  await host.run(documented);
  await host.run(start);
  await running(host);
  const rules = await host.run(LEGACY_RULES);
  t.match(rules, /-A EW-META/, 'root has the lock of iptables-legacy');
  t.equal(await host.run(RULES), '', 'and the other backend has nothing');
  const pid = await shown(host, AGENT, 'MainPID');
  t.match(await host.run(rightsOfProcess(pid)), rightsOf(TWO_CAPABILITIES, '0'), 'with no more rights than the two');

  await host.reboot();
  await running(host);
  t.equal(await host.run(LEGACY_RULES), rules, 'it stays there over a boot, at which no rule stands yet');
  // What an upgrade does to the folder, which is root's then.
  await host.run(`systemctl disable --now ${AGENT} ${RESTORE}; systemd-tmpfiles --create edgeward-agent.conf`);
  t.match(await host.run('edgeward agent remove'), /^Away: \d+ rules/);
  t.equal(await host.run(LEGACY_RULES), '');

  await host.run(start);
  await running(host);
  await host.run('dpkg --remove edgeward-agent');
  t.equal(await shown(host, AGENT, 'ActiveState'), 'inactive');
  t.equal(await host.run(LEGACY_RULES), rules, 'removed, the package leaves its rules');
}

function rightsOfProcess(pid: string): string {
  return `grep -E '^(Uid|Cap|NoNewPrivs|Seccomp)' /proc/${pid}/status`;
}

function rightsOf(capabilities: string, user: string): RegExp {
  const sets = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((set) => `${set}:\\s${capabilities}\\n`);
  return new RegExp(`^Uid:\\s${user}\\s.*\\n${sets.join('')}NoNewPrivs:\\s1\\nSeccomp:\\s2\\n`);
}

/** The files of a host that was enrolled and has a policy, as the agent leaves them. */
async function enrolled(host: BootedHost, folder: string): Promise<void> {
  const state = join(folder, 'state');
  await mkdir(state);
  await writeConfiguredState(state, join(folder, 'certificates'));

  await cp(state, join(host.root, 'state'), { recursive: true });
  await host.take('state');
  await host.run(AS_ENROLLED);
}

async function shown(host: BootedHost, unit: string, property: string): Promise<string> {
  return (await host.run(`systemctl show -P ${property} ${unit}`)).trim();
}

async function enteredAt(host: BootedHost, unit: string): Promise<number> {
  return Number(await shown(host, unit, 'ActiveEnterTimestampMonotonic'));
}

/** What it says once last-known-good is in force. */
function running(host: BootedHost): Promise<string> {
  return host.run(polling(`journalctl _PID=$(systemctl show -P MainPID ${AGENT}) | grep -q '"event":"restored"'`));
}

const POLLS = 150;

function polling(condition: string): string {
  const loop = `for i in $(seq ${POLLS}); do if ${condition}; then exit 0; fi; sleep 0.1; done`;
  return `${loop}; journalctl --no-pager --unit ${AGENT} --lines 20; exit 1`;
}
