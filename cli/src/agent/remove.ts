/** `edgeward agent remove`: the only way in which the rules of Edgeward leave a host. */
import type { Command } from '../frame/command.ts';
import { printable } from '../frame/terminal-text.ts';
import { agentOptions, loadAgentConfig } from './agent-config.ts';

export const remove: Command = {
  name: 'agent remove',
  summary: 'Take every rule and set of Edgeward away from this host.',
  help: {
    examples: [{ line: 'edgeward agent remove', says: 'From then on nothing of Edgeward judges a packet here.' }],
    usage: ['[--config FILE] [--json]'],
    about: [
      'First end the agent, which would put them back: `systemctl disable --now edgeward-agent`.',
      'Where ipset is missing the rules go all the same, and it says so. Rules and sets of others are not touched. The policies that this host knows are forgotten; its identity stays, so that the agent can be started again.',
    ],
    exits: { 69: 'iptables is missing, or not for this user', 75: 'the agent is running' },
  },
  args: [],
  options: agentOptions,
  async run(context) {
    const config = await loadAgentConfig(context);
    const { removeFromHost } = await import('@edgeward/host-agent/agent');
    const removal = await removeFromHost(config);
    if (context.json) {
      await context.printJson(removal);
      return 0;
    }
    const { rules, sets, left } = removal;
    const away = rules + sets === 0 ? 'There was nothing of Edgeward here' : `Away: ${rules} rules and ${sets} sets`;
    await context.out.write(`${away}.\n${left.map((one) => `Left: ${printable(one)}.\n`).join('')}`);
    return 0;
  },
};
