/** What is claimed of the package under a service manager: its units as they are, with nothing taken away from them. */
import { copyFile, cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type BootedHost, bootHost } from './booted-host.ts';
import { writeConfiguredState } from './configured-host.ts';
import type { Image } from './containers.ts';
import type { TestPackages } from './packages.ts';

const AGENT = 'edgeward-agent.service';
const RESTORE = 'edgeward-agent-restore.service';
const STATE = '/var/lib/edgeward-agent';
const RULES = "(iptables-save -t filter; ip6tables-save -t filter) | grep '^-A' || true";
/** CAP_NET_ADMIN and CAP_NET_RAW. */
const TWO_CAPABILITIES = '0000000000003000';

export async function bootedClaims(t: Test, image: Image, { folder }: TestPackages): Promise<void> {
  const host = await bootHost(t, image.archive);
  for (const name of ['older.deb', 'newer.deb']) await copyFile(join(folder, name), join(host.root, name));
  await host.run('dpkg --install /older.deb');
  t.equal(await shown(host, AGENT, 'ActiveState'), 'inactive', 'who is not enrolled is not run');
  t.equal(await shown(host, AGENT, 'ConditionResult'), 'no');

  await enrolled(host, t.testdir());
  await host.run(`systemctl start ${AGENT}`);
  await running(host);
  const rules = await host.run(RULES);
  t.match(rules, /-A EW-META/, 'last-known-good is in force, with no service in reach');
  const first = await shown(host, AGENT, 'MainPID');
  t.match(await host.run(`grep -E '^(Uid|Cap|NoNewPrivs|Seccomp)' /proc/${first}/status`), rightsOf(TWO_CAPABILITIES));
  for (const program of ['nft', 'ulogd'])
    await host.run(
      polling(
        `cat /sys/fs/cgroup/system.slice/${AGENT}/cgroup.procs | xargs -I{} cat /proc/{}/comm | grep -qx ${program}`,
      ),
    );

  await host.run('dpkg --install /newer.deb');
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

  await host.run('dpkg --remove edgeward-agent');
  t.equal(await shown(host, AGENT, 'ActiveState'), 'inactive');
  t.equal(await host.run(RULES), rules, 'removed, it leaves its rules');
}

function rightsOf(capabilities: string): RegExp {
  const sets = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((set) => `${set}:\\s${capabilities}\\n`);
  return new RegExp(`^Uid:\\s[1-9]\\d*\\s.*\\n${sets.join('')}NoNewPrivs:\\s1\\nSeccomp:\\s2\\n`);
}

/** The files of a host that was enrolled and has a policy, as the agent leaves them. */
async function enrolled(host: BootedHost, folder: string): Promise<void> {
  const state = join(folder, 'state');
  await mkdir(state);
  await writeConfiguredState(state, join(folder, 'certificates'));

  await cp(state, join(host.root, 'state'), { recursive: true });
  await host.take('state');
  await host.run(`cp -a /state/. ${STATE}; chown -R edgeward-agent:edgeward-agent ${STATE}`);
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
