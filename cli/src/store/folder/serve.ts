/** `edgeward store serve`: the store as a process, until a signal ends it. */
import { loadStoreConfig, startStore } from '@edgeward/central-store';
import { createLogger } from '@edgeward/runtime';
import type { Command } from '../../frame/command.ts';
import { runDaemon } from '../../frame/daemon.ts';
import { version } from '../../version.ts';

export const serve: Command = {
  name: 'store serve',
  summary: 'Run the store: people and points connect to it.',
  help: {
    examples: [
      {
        line: 'edgeward store serve --config /var/lib/edgeward-store/edgeward-store.yaml',
        says: 'What the systemd unit runs; `store init` wrote this file.',
      },
    ],
    usage: ['--config FILE'],
    about: [
      'Serves points and people over mutual TLS, and health and metrics on loopback or where `metrics.tls` is given. Logs JSON lines on stderr. SIGTERM and Ctrl-C end it in order; the points keep what they have.',
    ],
    exits: {
      0: 'ended by a signal',
      75: 'the port or the folder is in use',
      78: 'the configuration, the folder or a certificate is unusable',
    },
  },
  args: [],
  options: {
    // The same word as in every command; another file than the sync service's.
    config: { type: 'string', value: 'FILE', says: 'Default: ./edgeward-store.yaml.' },
  },
  async run(context) {
    const config = await loadStoreConfig({ file: context.text('config'), env: context.env });
    const logger = createLogger({ level: config.logLevel });
    return await runDaemon(logger, (lifecycle) => startStore({ config, version, logger, lifecycle }));
  },
};
