/** The installed agent in a container, where no systemd runs: started with the user and the rights that its unit names. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeConfiguredState } from './configured-host.ts';
import type { Container } from './containers.ts';

const STATE = '/var/lib/edgeward-agent';
const RULES = 'iptables-save -t filter; ip6tables-save -t filter; ipset save | sort';
const POLLS = 150;

/** The state of an enrolled host, owned as the agent would own it. */
export async function configure(container: Container, folder: string): Promise<void> {
  const state = join(folder, 'state');
  await mkdir(state, { mode: 0o700 });
  await writeConfiguredState(state, join(folder, 'certificates'));
  await container.copyIn(`${state}/.`, STATE);
  await container.run(`chown -R edgeward-agent:edgeward-agent ${STATE}`);
}

/** As the unit says: its user, its capabilities, its command. */
export async function startAgent(container: Container): Promise<void> {
  const unit = await container.run('cat /usr/lib/systemd/system/edgeward-agent.service');
  const settingOf = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1] ?? '';
  const capabilities = settingOf('AmbientCapabilities').toLowerCase().replaceAll('cap_', '+').split(' ').join();
  const [user, group] = [settingOf('User'), settingOf('Group')];
  const only = ['bounding-set', 'inh-caps', 'ambient-caps'].map((set) => `--${set}=-all,${capabilities}`);
  const rights = [`--reuid=${user}`, `--regid=${group}`, '--clear-groups', ...only, '--no-new-privs'];
  await container.run(`install -d -o ${user} -g ${group} -m 0755 /run/edgeward-agent`);
  await container.start(`umask 0077; exec setpriv ${rights.join(' ')} ${settingOf('ExecStart')} >/tmp/agent.log 2>&1`);
  await container.run(polling('grep -q restored /tmp/agent.log', 'cat /tmp/agent.log'));
}

/** As a service manager would: its rules are left to it. */
export async function stopAgent(container: Container): Promise<void> {
  const pid = await agentPid(container);
  await container.run(`kill ${pid}`);
  await container.run(polling(`! kill -0 ${pid} 2>/dev/null`, 'cat /tmp/agent.log'));
}

/** Whatever became of the file that it was started from. */
export async function agentPid(container: Container): Promise<string> {
  const found = await container.run("grep -lsz '^/usr/bin/edgeward$' /proc/[0-9]*/cmdline || true");
  return /\/proc\/(\d+)\//.exec(found)?.[1] ?? '';
}

/** Of everybody, without counters and comments. */
export async function rulesIn(container: Container): Promise<string> {
  const text = await container.run(RULES);
  return text.replaceAll(/^#.*\n/gm, '').replaceAll(/\[\d+:\d+\]/g, '');
}

/** A condition of the shell, until it holds. */
function polling(condition: string, complaint: string): string {
  const loop = `for i in $(seq ${POLLS}); do if ${condition}; then exit 0; fi; sleep 0.1; done`;
  return `${loop}; echo "not within ${POLLS} polls: ${condition.replaceAll('"', '')}"; ${complaint}; exit 1`;
}
