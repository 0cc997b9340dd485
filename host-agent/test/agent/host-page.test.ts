/** docs/host.md against the agent's schema, in both directions. */
import { describeSchema } from '@edgeward/runtime';
import t from 'tap';
import { page, tableRows } from '../../../test/docs/markdown.ts';
import { agentSchema } from '../../src/config.ts';

t.test('every key of agent.yaml with its type, default, variable and meaning, and nothing else', async (t) => {
  const rows = describeSchema(agentSchema, 'EDGEWARD_AGENT_').map(
    ({ path, type, default: value, env, description }) => [...[path, type, value ?? '–', env ?? '–', description]],
  );
  t.strictSame(tableRows(page('docs/host.md'), ['key', 'type', 'default', 'env', 'meaning']), rows);
});
