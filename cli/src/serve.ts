/** The sync service with its embedded store and collector, until a signal ends it. */
import { createLogger } from '@edgeward/runtime';
import { loadServiceConfig, startService } from '@edgeward/sync-service';
import { configOption } from './config-option.ts';
import type { Command } from './frame/command.ts';
import { runDaemon } from './frame/daemon.ts';
import { version } from './version.ts';

export const serve: Command = {
  name: 'serve',
  summary: 'Run the sync service: policy in, every NGINX kept equal to it, denials into the ledger.',
  help: {
    examples: [{ line: 'edgeward serve --config /etc/edgeward/edgeward.yaml', says: 'What the systemd unit runs.' }],
    usage: ['--config FILE'],
    about: [
      'Logs JSON lines on stderr. SIGTERM and Ctrl-C end it in order; the points keep what they have.',
      'What it serves on loopback: /livez, /readyz, /metrics, and the status API that the other commands read.',
    ],
    exits: { 0: 'ended by a signal', 78: 'the configuration, the state folder or a token file is unusable' },
  },
  args: [],
  options: { config: configOption },
  async run(context) {
    const config = await loadServiceConfig({ file: context.text('config'), env: context.env });
    const logger = createLogger({ level: config.logLevel });
    return await runDaemon(logger, (lifecycle) => startService({ config, version, logger, lifecycle }));
  },
};
