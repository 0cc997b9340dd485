/** `edgeward agent restore`: last-known-good in force, then an end. */
import { createLogger } from '@edgeward/runtime';
import type { Command } from '../frame/command.ts';
import { agentOptions, loadAgentConfig } from './agent-config.ts';

export const restore: Command = {
  name: 'agent restore',
  summary: 'Put the last-known-good policy in force, and end.',
  help: {
    examples: [{ line: 'edgeward agent restore', says: 'What a unit runs before the network comes up.' }],
    usage: ['[--config FILE] [--json]'],
    about: ['Asks nobody and writes no file. A host that knows no policy is left as it is.'],
    exits: { 0: 'in force, or nothing is known', 69: 'iptables or ipset is missing, or not for this user' },
  },
  args: [],
  options: agentOptions,
  async run(context) {
    const config = await loadAgentConfig(context);
    const { restoreHost } = await import('@edgeward/host-agent/agent');
    const restored = await restoreHost(config, createLogger({ level: config.logLevel }));
    if (context.json) await context.printJson({ restored });
    else if (restored === null) await context.out.write('No policy is known on this host.\n');
    else
      await context.out.write(
        `Revision ${restored.revision} is in force (${restored.mode ?? 'nothing is protected'}).\n`,
      );
    return 0;
  },
};
