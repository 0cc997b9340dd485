import type { CompiledPolicy } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import { type NativeSnapshot, nativeSnapshot, nativeSnapshotAside } from '../native/index.ts';

/**
 * The files of one snapshot in hybrid mode: what NGINX may say by itself, where the flags of this very generation are, and
 * how it looks for them. Where and how stand beside what, so that a worker never holds one of another generation.
 */
export interface SnapshotPlace {
  generation: string;
  /** Of all generations. */
  folder: string;
  /** Of the flags of this one. */
  flags: string;
  /** Whether NGINX may remember for a second what it saw. */
  isCached: boolean;
}

const SAFE_PATH = /^\/[A-Za-z0-9._/@+-]+$/;

/** Throws EDW_ERR_NGINX_PATH. */
export async function snapshotFiles(policy: CompiledPolicy, place: SnapshotPlace): Promise<NativeSnapshot> {
  requireSafe(place.flags);
  const { generation, folder } = place;
  return withCheck(await nativeSnapshotAside(policy, { generation, folder, answers: 'allow' }), place);
}

/** Of a policy that is not there: nothing is let in. */
export function emptyFiles(place: SnapshotPlace): NativeSnapshot {
  requireSafe(place.flags);
  const { generation, folder } = place;
  return withCheck(nativeSnapshot(null, { generation, folder, answers: 'allow' }), place);
}

function withCheck(snapshot: NativeSnapshot, { generation, flags, isCached }: SnapshotPlace): NativeSnapshot {
  const files = [
    { name: `${generation}/clean.conf`, text: cleanText(flags) },
    { name: `${generation}/check.conf`, text: isCached ? CACHED_CHECK : PLAIN_CHECK },
  ];
  return { ...snapshot, files: [...snapshot.files, ...files] };
}

function requireSafe(flags: string): void {
  if (SAFE_PATH.test(flags)) return;
  throw new EdgewardError('EDW_ERR_NGINX_PATH', `${JSON.stringify(flags)} can't stand in an NGINX configuration`, {
    mend: 'Use an absolute path of letters, digits and . _ / @ + - only.',
  });
}

function cleanText(flags: string): string {
  return `map "" $edgeward_clean {\n    default "${flags}";\n}\n`;
}

/** Where the flags of all generations are, as `clean.conf` of one says; null: it says nothing. */
export function flagsFolderIn(cleanText: string): string | null {
  const [, flags] = /^ {4}default "(\/[^"]+)\/[^"/]+";$/m.exec(cleanText) ?? [];
  return flags ?? null;
}

/** In place of what `http` may say: 60 s is what a cache keeps by default, and so long a change would not be seen. */
const PLAIN_CHECK = 'open_file_cache off;\n';
const CACHED_CHECK = `open_file_cache max=1000 inactive=60s;
open_file_cache_valid 1s;
open_file_cache_min_uses 1;
open_file_cache_errors on;
`;
