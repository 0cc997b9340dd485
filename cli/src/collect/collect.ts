/** The collector on its own, until a signal ends it. */
import { createLogger } from '@edgeward/runtime';
import type { Command } from '../frame/command.ts';
import { runDaemon } from '../frame/daemon.ts';
import { version } from '../version.ts';
import { loadCollectorConfig } from './collector-config.ts';
import { startCollector } from './collector-service.ts';

export const collect: Command = {
  name: 'collect',
  summary: 'Run a collector that several services share: their denials in, one ledger, its sinks.',
  help: {
    examples: [
      {
        line: 'edgeward collect --config /etc/edgeward/edgeward-collector.yaml',
        says: 'Listens for those whom its `senders` name.',
      },
    ],
    usage: ['[--config FILE]'],
    about: [
      'Each `edgeward serve` has a collector of its own and needs none of these. This one is for several of them: they relay every denial to it, with the labels that held.',
      'Logs JSON lines on stderr. SIGTERM and Ctrl-C end it in order; services keep what it has not acknowledged.',
      'What it serves on loopback: /livez, /readyz, /metrics, and the API that `edgeward denials --url` reads. docs/collector.md has the rest.',
    ],
    exits: {
      0: 'ended by a signal',
      75: 'the port or the state folder is in use',
      78: 'the configuration, the state folder or a certificate is unusable',
    },
  },
  args: [],
  options: {
    // The same word as in every command; another file than the sync service's.
    config: { type: 'string', value: 'FILE', says: 'Default: ./edgeward-collector.yaml.' },
  },
  async run(context) {
    const config = await loadCollectorConfig({ file: context.text('config'), env: context.env });
    const logger = createLogger({ level: config.logLevel });
    return await runDaemon(logger, (lifecycle) => startCollector({ config, version, logger, lifecycle }));
  },
};
