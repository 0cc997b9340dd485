/** `edgeward agent run`: the daemon of a host, until a signal ends it. Rules stay. */
import type { Owner } from '@edgeward/host-agent/agent';
import { createLogger, EdgewardError } from '@edgeward/runtime';
import type { Command } from '../frame/command.ts';
import { runDaemon } from '../frame/daemon.ts';
import { version } from '../version.ts';
import { agentOptions, loadAgentConfig } from './agent-config.ts';

export const run: Command = {
  name: 'agent run',
  summary: "Keep this host's rules equal to its policy.",
  help: {
    examples: [{ line: 'edgeward agent run', says: 'What the systemd unit runs.' }],
    usage: ['[--config FILE]'],
    about: [
      'Puts the last-known-good policy in force before it asks any network, then follows the sync service. Logs JSON lines on stderr.',
      'SIGTERM and Ctrl-C end it; rules and sets stay in force. `edgeward agent remove` alone takes them away.',
    ],
    exits: {
      0: 'ended by a signal',
      69: 'iptables or ipset is missing, or not for this user',
      75: 'another agent uses the state folder',
      78: 'the configuration or the identity is unusable, or the host was not enrolled',
    },
  },
  args: [],
  options: agentOptions,
  async run(context) {
    const config = await loadAgentConfig(context);
    const { otherOwnerOf, startAgent } = await import('@edgeward/host-agent/agent');
    refuseForeignFolder(config.stateDir, await otherOwnerOf(config.stateDir));
    const logger = createLogger({ level: config.logLevel });
    return await runDaemon(logger, (lifecycle) => startAgent({ config, version, logger, lifecycle }));
  },
};

/** Root would leave files there that the agent's own user can't read afterwards, and follow what links that user made. */
function refuseForeignFolder(stateDir: string, owner: Owner | null): void {
  if (owner === null) return;
  const whose = `user ${owner.uid} owns ${stateDir} or what is above it`;
  const asRoot = `Where iptables-legacy needs an agent that is root, give root that folder: chown -R root: ${stateDir}`;
  throw new EdgewardError('EDW_ERR_STATE_WRITE', `running the agent as root: ${whose}`, {
    mend: `Start its unit: systemctl start edgeward-agent. What it says is in \`journalctl -u edgeward-agent\`. ${asRoot}`,
  });
}
