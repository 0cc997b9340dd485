/** `edgeward bigip plan`: what the sync service would change on a box, and by which calls. Sends GETs only. */
import { changesNothing } from '@edgeward/f5-irules';
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { bigipOptions, configuredBigip } from './bigip-options.ts';
import { planText } from './plan-text.ts';
import { readPointPolicy } from './point-policy.ts';
import { reviewing } from './reviewing.ts';

export const plan: Command = {
  name: 'bigip plan',
  summary: 'What applying the policy would change on a BIG-IP.',
  help: {
    examples: [
      {
        line: 'edgeward bigip plan --point bigip-1',
        says: 'Flows gained and lost for each virtual server, and calls.',
      },
      { line: 'edgeward bigip plan --point bigip-1 --json | jq .calls', says: 'Everything, for a pipeline.' },
    ],
    usage: ['[--point NAME] [--all] [--config FILE] [--json]'],
    about: [
      'Reads what the box holds and compares it with the policy: sources × ports × requests gained and lost, modes, groups, and each call that would be sent, with its bytes. Sends GETs only, beside login and logout.',
      'Records of external groups can not be read back: such a group is compared by name, and the plan says so.',
      'JSON: {point, unit, url, revision: {from, to}, policy, objects: [{bind, object, change, before, after, flows: {gained: [{sources, ports, requests}], lost, trusted, reworded}, unread}], rules, groups, calls: [{method, path, bytes}], collectable, hazards, obstacle, changes}.',
    ],
    exits: { 0: 'nothing would change', 3: 'something would change, or stands in the way; or the policy has errors' },
  },
  args: [],
  options: { ...bigipOptions, all: { type: 'boolean', says: 'Every line, however many there are.' } },
  run: runPlan,
};

async function runPlan(context: Context): Promise<ExitCode> {
  const { config, bigip } = await configuredBigip(context);
  const own = await readPointPolicy(context, config, bigip.name);
  if (own === null) return 3;
  const says = (): string => `reading ${bigip.name}`;
  const preview = await reviewing(context, bigip, says, (review) => review.preview(own.policy));
  const changes = !changesNothing(preview);
  if (context.json) await context.printJson({ ...preview, changes });
  else await context.out.write(planText(preview, context.flag('all'), context.paint));
  return changes ? 3 : 0;
}
