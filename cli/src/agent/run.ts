/** `edgeward agent run`: the daemon of a host, until a signal ends it. Rules stay. */
import { createLogger } from '@edgeward/runtime';
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
    const logger = createLogger({ level: config.logLevel });
    const { startAgent } = await import('@edgeward/host-agent/agent');
    return await runDaemon(logger, (lifecycle) => startAgent({ config, version, logger, lifecycle }));
  },
};
