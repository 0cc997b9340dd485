/** The forwarder of an NGINX elsewhere, until a signal ends it. It loads nothing of the service: it runs where traffic is. */
import { readFile } from 'node:fs/promises';
import { type ForwarderConfig, readForwarderConfig, startForwarder } from '@edgeward/deny-forwarder';
import { createLogger, EdgewardError, messageOf } from '@edgeward/runtime';
import { parseDocument } from 'yaml';
import type { Command, Context } from './frame/command.ts';
import { runDaemon } from './frame/daemon.ts';
import { version } from './version.ts';

export const forward: Command = {
  name: 'forward',
  summary: 'Beside an NGINX elsewhere: send its deny log to the service.',
  help: {
    examples: [
      {
        line: 'edgeward forward --config /etc/edgeward/edgeward-forwarder.yaml',
        says: 'What the systemd unit runs.',
      },
    ],
    usage: ['[--config FILE]'],
    about: [
      'Follows the deny log, keeps what it read on disk until the service has stored it, and sends it by mutual TLS. Each denial arrives once. docs/forwarder.md goes through it from the start.',
      'NGINX waits for none of it. Without room lines wait in the log, and what could not be kept is counted.',
      'Logs JSON lines on stderr. SIGTERM and Ctrl-C end it in order. What it serves on loopback: /livez, /readyz, /metrics.',
    ],
    exits: {
      0: 'ended by a signal',
      75: 'the port or the spool is in use',
      78: 'the configuration or the spool folder is unusable',
    },
  },
  args: [],
  options: {
    config: { type: 'string', value: 'FILE', says: 'Default: ./edgeward-forwarder.yaml.' },
  },
  async run(context) {
    const config = await loadForwarderConfig(context);
    const logger = createLogger({ level: config.logLevel });
    return await runDaemon(logger, (lifecycle) => startForwarder({ config, version, logger, lifecycle }));
  },
};

/** Throws EDW_ERR_CONFIG with every problem, EDW_ERR_CONFIG_FILE where there is no file to read. */
async function loadForwarderConfig(context: Context): Promise<ForwarderConfig> {
  const file = context.text('config') ?? 'edgeward-forwarder.yaml';
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    const message = `reading the configuration (${file}): ${messageOf(cause)}`;
    throw new EdgewardError('EDW_ERR_CONFIG_FILE', message, { mend: 'Name the file with --config.', cause });
  });
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem === undefined) return readForwarderConfig({ value: document.toJS(), file, env: context.env });
  throw new EdgewardError('EDW_ERR_CONFIG', `reading ${file}: ${problem.message}`, {
    mend: 'Correct what is named; docs/configuration.md describes every key.',
  });
}
