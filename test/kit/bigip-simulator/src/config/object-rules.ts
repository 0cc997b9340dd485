/** What a kind of object brings along: how a body becomes properties, what it refers to, what else it must satisfy. */
import type { LoadRule } from '../irule/loaded-rule.ts';
import type { TmosVersion } from '../simulator.ts';
import type { ConfigObject, Properties } from './box-config.ts';
import { isAbsent, text, withoutAbsent } from './property-values.ts';
import type { Draft, View } from './state.ts';

export interface Box {
  version: TmosVersion;
  loadRule: LoadRule;
  /** Files under /var/config/rest/downloads. */
  uploads: ReadonlyMap<string, Buffer>;
  now(): Date;
}

export interface Write {
  verb: 'create' | 'modify' | 'replace';
  fullPath: string;
  /** Without name, partition and the like. */
  body: Properties;
  /** Null for a create. */
  before: Properties | null;
  /** `?options=` of a modify. */
  options?: string;
  /** tmsh text may say again what a modify over REST must not. */
  origin: 'rest' | 'text';
}

/** Names that objects refer to; both kinds of data group are one. */
export type Family =
  | 'value_list'
  | 'pool'
  | 'virtual'
  | 'node'
  | 'rule'
  | 'profile'
  | 'file'
  | 'destination'
  | 'publisher';

export interface Reference {
  family: Family;
  fullPath: string;
}

export interface ObjectRules {
  /** REST's defaults, and what `replace` falls back to. */
  defaults?: Properties;
  /** The same of what a list holds: of the members of a pool. */
  itemDefaults?: Record<string, Properties>;
  /** Throws BoxError. Must not look at what other objects of the same list will become: `check` does. */
  properties(write: Write, box: Box, view: View): Properties;
  /** Objects that come along by themselves: the node of a pool member, the folder of a partition. */
  beside?(object: ConfigObject, draft: Draft, box: Box): void;
  /** As it is called in `is in use by a … (…)`. */
  references?(object: ConfigObject, view: View, box: Box): Reference[];
  /** Once everything of a list is written. Throws BoxError. */
  check?(object: ConfigObject, view: View, box: Box): void;
  /** Before a removal counts. Throws BoxError. */
  removal?(fullPath: string, draft: Draft): void;
}

/** What a verb leaves of what stood, of the defaults and of the body. */
export function merged(write: Write, defaults: Properties = {}): Properties {
  const base = write.verb === 'modify' ? (write.before ?? {}) : defaults;
  const said = withoutAbsent({ ...base, ...write.body });
  // Who takes a value away gets the default back.
  const all = exclusive({ ...defaults, ...said }, write.body, base);
  const description = text(all, 'description');
  if (description === undefined) delete all.description;
  else all.description = description;
  return all;
}

const OPPOSITES = [
  ['enabled', 'disabled'],
  ['vlansEnabled', 'vlansDisabled'],
] as const;

// Flags come in pairs: who says `disabled` takes `enabled` away.
function exclusive(all: Properties, said: Properties, stood: Properties): Properties {
  const kept = { ...all };
  for (const [on, off] of OPPOSITES) {
    const isOn = isAbsent(said[on]) && isAbsent(said[off]) ? holds(on, said, stood) : !isAbsent(said[on]);
    const isOff = !isOn && (!isAbsent(said[off]) || holds(off, said, stood));
    if (isOn) delete kept[off];
    if (isOff) delete kept[on];
  }
  return kept;
}

const holds = (flag: string, said: Properties, stood: Properties): boolean => !isAbsent(stood[flag]) && !(flag in said);

/** 14.1 changed what may be said of a data group. */
export const isOld = (version: TmosVersion): boolean => Number.parseInt(version, 10) < 14;
