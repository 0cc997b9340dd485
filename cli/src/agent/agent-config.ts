/** The agent's configuration from its file. Without `--config` and without a file there are the defaults. */
import { readFile } from 'node:fs/promises';
import type { AgentConfig } from '@edgeward/host-agent/agent';
import { EdgewardError, messageOf, systemCodeOf } from '@edgeward/runtime';
import type { Context, Option } from '../frame/command.ts';

const AGENT_FILE = '/etc/edgeward/agent.yaml';

export const agentOptions: Record<string, Option> = {
  config: { type: 'string', value: 'FILE', says: `Default: ${AGENT_FILE}, where there is one.` },
};

/** Throws EDW_ERR_CONFIG with every problem, and EDW_ERR_CONFIG_FILE. */
export async function loadAgentConfig(context: Context): Promise<AgentConfig> {
  const given = context.text('config');
  const file = given ?? AGENT_FILE;
  const text = await readFile(file, 'utf8').catch((thrown: unknown) => {
    if (given === undefined && systemCodeOf(thrown) === 'ENOENT') return '';
    throw new EdgewardError('EDW_ERR_CONFIG_FILE', `reading the configuration ${file}: ${messageOf(thrown)}`, {
      mend: `Name the file with --config, or write ${AGENT_FILE}; an empty one is enough.`,
      cause: thrown,
    });
  });
  const { readAgentConfig } = await import('@edgeward/host-agent/agent');
  return readAgentConfig({ value: await yamlValue(text, file), file, env: context.env });
}

/** A file that says nothing costs no parser its memory. */
async function yamlValue(text: string, file: string): Promise<unknown> {
  if (!/^[ \t]*[^#\s]/m.test(text)) return {};
  const { parseDocument } = await import('yaml');
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem === undefined) return document.toJS() as unknown;
  throw new EdgewardError('EDW_ERR_CONFIG', `reading ${file}: ${problem.message}`, {
    mend: 'Correct what is named; docs/host.md describes every key.',
  });
}
