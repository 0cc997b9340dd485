/**
 * A list of changes against a state: each is checked by itself in its order, then names and removals against what the
 * whole list leaves. Either a new state comes out, or a BoxError and nothing has changed.
 */
import type { Change, ConfigObject } from './box-config.ts';
import { checkFolder } from './folders.ts';
import { builtInProperties } from './initial-state.ts';
import { rulesOfKind } from './kind-rules.ts';
import { kindOf } from './kinds.ts';
import { alreadyExists, builtIn, notFound, removedAndCreated } from './mcpd-errors.ts';
import type { Box, Write } from './object-rules.ts';
import { partitionOf, pathOfBody } from './paths.ts';
import { withoutFrame } from './property-values.ts';
import { checkReferences, checkRemovals } from './references.ts';
import { type Draft, draftOf, type State } from './state.ts';

export interface Written {
  state: State;
  /** One for each change; null for a removal. */
  objects: (ConfigObject | null)[];
  changed: { kind: string; fullPath: string }[];
}

export function write(state: State, changes: readonly Change[], box: Box, origin: Write['origin']): Written {
  refuseBoth(changes);
  const draft = draftOf(state);
  const objects = changes.map((change) => writeOne(draft, change, box, origin));
  const changed = draft.changed();
  const removed = changed.filter(({ kind, fullPath }) => draft.get(kind, fullPath) === null);
  for (const { kind, fullPath } of changed) {
    const object = draft.get(kind, fullPath);
    if (object === null) continue;
    checkReferences(object, rulesOfKind(kind), draft, box);
    rulesOfKind(kind).check?.(object, draft, box);
  }
  checkRemovals(removed, draft, rulesOfKind, box);
  return { state: draft.finish(), objects, changed };
}

function writeOne(draft: Draft, change: Change, box: Box, origin: Write['origin']): ConfigObject | null {
  const { kind } = change;
  const rules = rulesOfKind(kind);
  if (change.do === 'remove') {
    standing(draft, change.kind, change.fullPath);
    if (builtInProperties(kind, change.fullPath) !== undefined) throw builtIn(kindOf(kind).title, change.fullPath);
    rules.removal?.(change.fullPath, draft);
    draft.remove(kind, change.fullPath);
    return null;
  }
  const fullPath = change.do === 'create' ? pathOfBody(kindOf(kind), change.body) : change.fullPath;
  const verb = verbOf(change, draft.get(kind, fullPath) !== null, origin);
  if (verb === 'create') refuseExisting(draft, kind, fullPath);
  const before = verb === 'create' ? null : standing(draft, kind, fullPath).properties;
  const options = change.do === 'modify' && change.options !== undefined ? { options: change.options } : {};
  const write: Write = { verb, fullPath, body: withoutFrame(change.body), before, origin, ...options };
  const object = draft.put(kind, fullPath, rules.properties(write, box, draft));
  rules.beside?.(object, draft, box);
  return object;
}

/** Text may name what came along by itself: the folder of a partition, the node of a member. */
function verbOf(change: Exclude<Change, { do: 'remove' }>, stands: boolean, origin: Write['origin']): Write['verb'] {
  return change.do === 'create' && stands && origin === 'text' ? 'modify' : change.do;
}

function standing(draft: Draft, kind: string, fullPath: string): ConfigObject {
  const object = draft.get(kind, fullPath);
  if (object === null) throw notFound(kindOf(kind).title, fullPath);
  return object;
}

function refuseExisting(draft: Draft, kind: string, fullPath: string): void {
  const { naming, title } = kindOf(kind);
  if (draft.get(kind, fullPath) !== null)
    throw alreadyExists(title, fullPath, naming === 'object' ? partitionOf(fullPath) : 'Common');
  if (naming !== 'partition') checkFolder(fullPath, draft);
}

function refuseBoth(changes: readonly Change[]): void {
  if (changes.length < 2) return;
  const removed = new Set(
    changes.flatMap((change) => (change.do === 'remove' ? [keyOf(change.kind, change.fullPath)] : [])),
  );
  if (removed.size === 0) return;
  for (const change of changes) {
    if (change.do !== 'create') continue;
    const fullPath = pathOfBody(kindOf(change.kind), change.body);
    if (removed.has(keyOf(change.kind, fullPath))) throw removedAndCreated(kindOf(change.kind).title, fullPath);
  }
}

const keyOf = (kind: string, fullPath: string): string => `${kind}\n${fullPath}`;
