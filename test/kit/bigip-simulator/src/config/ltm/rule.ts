/**
 * `ltm rule`: the text as it was given, trimmed, and what loading it told: its events and the names that it spells out.
 * A name that a rule keeps in a variable is not seen here, and so is not protected from removal, as on a box.
 */
import type { LoadedRule, NameLookup } from '../../irule/loaded-rule.ts';
import { BoxError, type ConfigObject, type Properties } from '../box-config.ts';
import { httpProfileRequired, invalidProperty } from '../mcpd-errors.ts';
import type { Box, ObjectRules, Reference } from '../object-rules.ts';
import { folderOf } from '../paths.ts';
import { text, withoutAbsent } from '../property-values.ts';
import { exists } from '../references.ts';
import type { View } from '../state.ts';

interface Loading {
  rule: LoadedRule;
  references: Reference[];
}

/** Properties are replaced and never changed, so a text is loaded once in its life. */
const loadings = new WeakMap<Properties, Loading>();

export const rule: ObjectRules = {
  properties({ body, before, verb }) {
    const all = verb === 'modify' ? { ...before, ...body } : body;
    const said = all.apiAnonymous;
    if (typeof said !== 'string' || said.trim() === '') throw invalidProperty('apiAnonymous', said);
    return withoutAbsent({
      apiAnonymous: said.trim(),
      description: text(all, 'description'),
      ignoreVerification: text(all, 'ignoreVerification') === 'true' ? 'true' : undefined,
    });
  },
  references: (object, view, box) => loading(object, view, box).references,
  check(object, view, box) {
    const events = httpEvents(object, view, box);
    if (events.length === 0) return;
    for (const virtual of view.all('ltm virtual'))
      if (rulesOf(virtual).includes(object.fullPath)) checkHttpProfile(virtual, object, view, box);
  },
};

export const rulesOf = (virtual: ConfigObject): readonly string[] => (virtual.properties.rules as string[]) ?? [];

/** Rules of HTTP events need somebody who reads HTTP. */
export function checkHttpProfile(virtual: ConfigObject, attached: ConfigObject, view: View, box: Box): void {
  const profiles = (virtual.properties.profiles as { fullPath: string }[] | undefined) ?? [];
  const reads = profiles.some(({ fullPath }) =>
    ['ltm profile http', 'ltm profile fasthttp'].some((kind) => view.get(kind, fullPath) !== null),
  );
  const [event] = httpEvents(attached, view, box);
  if (!reads && event !== undefined) throw httpProfileRequired(event, attached.fullPath, virtual.fullPath);
}

function httpEvents(object: ConfigObject, view: View, box: Box): string[] {
  return loading(object, view, box)
    .rule.handlers.map(({ event }) => event)
    .filter((event) => event.startsWith('HTTP_'));
}

function loading(object: ConfigObject, view: View, box: Box): Loading {
  const known = loadings.get(object.properties);
  if (known !== undefined) return known;
  const references = new Map<string, Reference>();
  const names: NameLookup = {
    has(kind, name) {
      const found = candidates(name, object.fullPath).find((fullPath) => exists({ family: kind, fullPath }, view));
      if (found !== undefined) references.set(`${kind} ${found}`, { family: kind, fullPath: found });
      return found !== undefined;
    },
  };
  const answer = box.loadRule(object.fullPath, String(object.properties.apiAnonymous), names);
  if (answer.state === 'refused') throw new BoxError(400, answer.message);
  const made = { rule: answer.rule, references: [...references.values()] };
  loadings.set(object.properties, made);
  return made;
}

// A name without a path is looked for in /Common first, then beside the rule.
const candidates = (name: string, rulePath: string): string[] =>
  name.startsWith('/') ? [name] : [`/Common/${name}`, `${folderOf(rulePath)}/${name}`];
