/** Which rules are those of a kind. A kind without rules of its own is held as it came. */
import type { Kind } from './box-config.ts';
import { externalGroup } from './data-group/external.ts';
import { groupFile } from './data-group/file.ts';
import { internalGroup } from './data-group/internal.ts';
import { folder, partition } from './folders.ts';
import { profileKinds } from './kinds.ts';
import { node, pool } from './ltm/pool.ts';
import { profileRules } from './ltm/profile.ts';
import { rule } from './ltm/rule.ts';
import { virtual } from './ltm/virtual.ts';
import { highSpeedLog, publisher, routeDomain } from './network-rules.ts';
import { merged, type ObjectRules } from './object-rules.ts';

const RULES = new Map<Kind, ObjectRules>([
  ['auth partition', partition],
  ['sys folder', folder],
  ['net route-domain', routeDomain],
  ['sys file data-group', groupFile],
  ['ltm data-group internal', internalGroup],
  ['ltm data-group external', externalGroup],
  ['ltm node', node],
  ['ltm pool', pool],
  ...profileKinds.map((kind): [Kind, ObjectRules] => [kind, profileRules(kind)]),
  ['ltm rule', rule],
  ['sys log-config destination remote-high-speed-log', highSpeedLog],
  ['sys log-config publisher', publisher],
  ['ltm virtual', virtual],
]);

const FOREIGN: ObjectRules = { properties: (write) => merged(write) };

export const rulesOfKind = (kind: Kind): ObjectRules => RULES.get(kind) ?? FOREIGN;
