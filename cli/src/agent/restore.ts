/** `edgeward agent restore`: last-known-good in force, then an end. */
import { createLogger } from '@edgeward/runtime';
import type { Command, Context } from '../frame/command.ts';
import { agentOptions, loadAgentConfig } from './agent-config.ts';

export const restore: Command = {
  name: 'agent restore',
  summary: 'Put the last-known-good policy in force, and end.',
  help: {
    examples: [{ line: 'edgeward agent restore', says: 'What a unit runs before the network comes up.' }],
    usage: ['[--config FILE] [--json]'],
    about: ['Asks nobody. A host that knows no policy is left as it is, and so is one whose agent runs.'],
    exits: {
      0: 'in force, or nothing is known, or the agent runs',
      69: 'iptables or ipset is missing, or not for this user',
    },
  },
  args: [],
  options: agentOptions,
  async run(context) {
    const config = await loadAgentConfig(context);
    const { restoreHost } = await import('@edgeward/host-agent/agent');
    const restored = await restoreHost(config, createLogger({ level: config.logLevel }));
    if (restored === 'in-use') return agentRuns(context);
    if (context.json) await context.printJson({ restored });
    else if (restored === null) await context.out.write('No policy is known on this host.\n');
    else
      await context.out.write(
        `Revision ${restored.revision} is in force (${restored.mode ?? 'nothing is protected'}).\n`,
      );
    return 0;
  },
};

async function agentRuns(context: Context): Promise<0> {
  if (context.json) await context.printJson({ restored: null, agentRuns: true });
  else await context.out.write('The agent runs: what stands is left to it, and nothing was written.\n');
  return 0;
}
