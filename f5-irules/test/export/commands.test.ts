/** A command says no more than what it names: a name that tmsh reads as something else stands in no line. */
import t from 'tap';
import { enforcementRules } from '../../driver/irules.ts';
import { attachmentsOf } from '../../export/attachments.ts';
import { rulesCommand, surplusCommands } from '../../export/commands.ts';
import type { HeldBox } from '../../export/examination.ts';
import { smallPolicy } from '../fixtures/policies.ts';

const MAP = '/Edgeward/eg_map';

t.test('a record whose name is a word of tmsh is told, and never deleted by a line', (t) => {
  for (const name of ['all', 'All', 'none', 'default', '-', '--', '-x', '', 'a\nb']) {
    const { lines, unsayable } = surplusCommands([{ fullPath: MAP, names: ['/Common/vs_old', name] }]);
    t.strictSame(lines, [`tmsh modify ltm data-group internal ${MAP} records delete { /Common/vs_old }`], name);
    t.strictSame(unsayable, [MAP], name);
  }
  const { lines } = surplusCommands([{ fullPath: MAP, names: ['all in', 'allow'] }]);
  t.match(lines, [/\{ \\?"all in\\?" allow \}/], 'other names with these letters are said');
  t.end();
});

t.test('a list of rules with such a name is left to the GUI', (t) => {
  t.equal(rulesCommand('/Common/vs', []), 'tmsh modify ltm virtual /Common/vs rules none');
  t.equal(rulesCommand('/Common/vs', ['/Common/r']), 'tmsh modify ltm virtual /Common/vs rules { /Common/r }');
  for (const name of ['all', 'none', 'default', '-r']) {
    t.equal(rulesCommand('/Common/vs', ['/Common/r', name]), null, name);
    t.equal(rulesCommand(name, ['/Common/r']), null, name);
  }
  t.end();
});

t.test('older versions of our rules, and those that the protocol does not need, leave the list', async (t) => {
  const rules = await enforcementRules();
  const [l4, l7] = [rules.l4.fullPath, rules.l7.fullPath];
  const cases = [
    { protocol: 'http', before: [l4, l7, '/Common/r'], state: 'attached' },
    { protocol: 'http', before: ['/Edgeward/eg_enforce_l4_v0', '/Common/r', l4, l7], state: 'partly' },
    { protocol: 'http', before: ['/Edgeward/eg_enforce_l4_v0', '/Common/r'], state: 'none' },
    { protocol: 'tcp', before: [l4, '/Common/r'], state: 'attached' },
    { protocol: 'tcp', before: [l4, '/Common/r', l7], state: 'partly' },
  ] as const;
  for (const { protocol, before, state } of cases) {
    const virtuals = new Map([['/Common/vs_orders', { routeDomain: 0, rules: [...before] }]]);
    const policy = smallPolicy({ revision: 1, protocol });
    const [attachment] = attachmentsOf(policy, rules, { virtuals } as unknown as HeldBox);
    const after = [l4, ...(protocol === 'http' ? [l7] : []), '/Common/r'];
    t.match(attachment, { state, after, before }, `${protocol}: ${before.join(' ')}`);
    t.equal(attachment?.after.length, after.length);
  }
});
