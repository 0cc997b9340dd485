/** Where recorded flows go, whatever they are read from. */
import type { Replay } from '@edgeward/policy';

export interface ReplayInput {
  replay: Replay;
  unreadable: Unreadable;
  /** Records so far. */
  read: number;
}

export interface Unreadable {
  records: number;
  first: { line: number; code: string; message: string }[];
}

/** Of records that could not be read, so many are told. */
const maxUnreadable = 5;

export function unreadable(input: ReplayInput, { code, message }: { code: string; message: string }): void {
  input.unreadable.records += 1;
  if (input.unreadable.first.length < maxUnreadable) input.unreadable.first.push({ line: input.read, code, message });
}
