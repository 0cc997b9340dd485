/** `load sys config merge`: what text asks of a configuration. What stands is modified, what does not is created. */
import type { Change, Kind } from '../box-config.ts';
import { kindOf, knownKinds } from '../kinds.ts';
import { syntaxError } from '../mcpd-errors.ts';
import { pathOfBody } from '../paths.ts';
import type { View } from '../state.ts';
import { readStanzas, type Stanza } from './reading.ts';

const RANK = new Map<Kind, number>(knownKinds.map(({ kind }, index) => [kind, index]));

export function changesOfText(text: string, view: View): Change[] {
  const stanzas = readStanzas(text);
  const seen = new Map<string, number>();
  // A file lists kinds by the alphabet; what others need has to stand before them.
  const ordered = stanzas
    .map((stanza) => ({ stanza, rank: RANK.get(stanza.kind) ?? RANK.size, path: pathOf(stanza) }))
    .sort((a, b) => a.rank - b.rank || depth(a.stanza.kind, a.path) - depth(b.stanza.kind, b.path));
  return ordered.map(({ stanza, path }) => {
    const key = `${stanza.kind}\n${path}`;
    const line = seen.get(key);
    if (line !== undefined) throw syntaxError(stanza.line, `${stanza.kind} ${path} is already defined in line ${line}`);
    seen.set(key, stanza.line);
    return changeOf(stanza, path, view);
  });
}

function changeOf({ kind, name, body }: Stanza, fullPath: string, view: View): Change {
  if (view.get(kind, fullPath) !== null) return { do: 'modify', kind, fullPath, body };
  const frame = RANK.has(kind) ? { name } : { fullPath };
  return { do: 'create', kind, body: { ...body, ...frame } };
}

function pathOf({ kind, name }: Stanza): string {
  return RANK.has(kind) ? pathOfBody(kindOf(kind), { name }) : name;
}

/** Folders from the root down; the order of all others stays. */
const depth = (kind: Kind, path: string): number => (kind === 'sys folder' ? path.split('/').length : 0);
