/**
 * Data groups on their way into tclsh: streamed in pieces, between which traffic is served, and switched as one step. A
 * group whose content is the same objects as before is not loaded again.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import type { BoxConfig, Kind } from '../config/box-config.ts';
import { fileRecords, type GroupRecord, internalRecords } from './group-records.ts';
import type { TclSession } from './tcl-session.ts';
import { bytesOf, type Word } from './tcl-words.ts';

/** A group as it is at one instant; null when there is none. */
export interface GroupState {
  name: string;
  content: GroupContent | null;
}

interface GroupContent {
  type: string;
  /** Equal identities mean equal content. */
  identity: readonly unknown[];
  records(): Iterable<GroupRecord>;
}

export interface DataGroups {
  load(state: GroupState): Promise<void>;
}

const PIECE_CHARS = 32_768;
let numbers = 0;

export function createDataGroups(session: TclSession): DataGroups {
  const loaded = new Map<string, readonly unknown[]>();
  return {
    async load({ name, content }) {
      if (content === null) {
        if (loaded.delete(name)) session.send('group_drop', bytesOf(name));
        return;
      }
      const before = loaded.get(name);
      if (before?.every((part, index) => part === content.identity[index])) return;
      loaded.set(name, content.identity);
      const number = ++numbers;
      session.send('group_begin', number, content.type);
      for (const piece of piecesOf(content.records())) {
        session.send('group_add', number, piece);
        await session.drained();
        await breathe();
      }
      session.send('group_commit', number, bytesOf(name));
    },
  };
}

function* piecesOf(records: Iterable<GroupRecord>): Iterable<Word[]> {
  let piece: Word[] = [];
  let chars = 0;
  for (const [key, value] of records) {
    piece.push(bytesOf(key), bytesOf(value));
    chars += key.length + value.length + 2;
    if (chars < PIECE_CHARS) continue;
    yield piece;
    piece = [];
    chars = 0;
  }
  if (piece.length > 0) yield piece;
}

export const isGroup = (kind: Kind): boolean =>
  kind === 'ltm data-group internal' || kind === 'ltm data-group external';

/** What the configuration says now. Objects in it are replaced and never changed, so this stays as it is. */
export function groupState(config: BoxConfig, name: string): GroupState {
  const internal = config.get('ltm data-group internal', name)?.properties;
  if (internal !== undefined) {
    const { records } = internal;
    const type = String(internal.type ?? 'string');
    return { name, content: { type, identity: [type, records, internal], records: () => internalRecords(records) } };
  }
  const external = config.get('ltm data-group external', name)?.properties;
  if (external === undefined) return { name, content: null };
  const path = String(external.externalFileName ?? '');
  const file = config.get('sys file data-group', path)?.properties;
  const text = config.file(path) ?? '';
  const type = String(external.type ?? file?.type ?? 'string');
  const separator = String(file?.separator ?? ':=');
  const identity = [type, text, separator];
  return { name, content: { type, identity, records: () => fileRecords(text, type, separator) } };
}

/** External groups that read this file. */
export function groupsOfFile(config: BoxConfig, path: string): string[] {
  return config
    .list('ltm data-group external')
    .filter(({ properties }) => properties.externalFileName === path)
    .map(({ fullPath }) => fullPath);
}
