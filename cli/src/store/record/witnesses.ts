/**
 * Checkpoints of a record that somebody else has seen: `{size, hash}`, as points report them and as heads carry them. A
 * file may hold any of these, JSON or one document a line: checkpoints, reports, signed heads, the JSON of `store status`.
 */
import { readFile } from 'node:fs/promises';
import type { Checkpoint } from '@edgeward/policy-format';
import { EdgewardError, messageOf } from '@edgeward/runtime';

const MAX_DEPTH = 16;

/** At least one. Throws EDW_ERR_WITNESS_FILE. */
export async function readWitnesses(path: string): Promise<Checkpoint[]> {
  try {
    const found = valuesIn(await readFile(path, 'utf8')).flatMap((value) => checkpointsIn(value));
    if (found.length > 0) return found;
    throw new Error('no checkpoint is in it');
  } catch (cause) {
    throw new EdgewardError('EDW_ERR_WITNESS_FILE', `reading the witnesses in ${path}: ${messageOf(cause)}`, {
      mend: 'Name a file with {"size": N, "hash": "…"}, with heads or reports of points, or with `store status --json`.',
      cause,
    });
  }
}

/** Wherever they stand in a value; those of the beginning, before there was an entry, say nothing. */
export function checkpointsIn(value: unknown, depth = 0): Checkpoint[] {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return [];
  const inside = Object.values(value).flatMap((it) => checkpointsIn(it, depth + 1));
  const own = isCheckpoint(value) && value.size > 0 ? [{ size: value.size, hash: value.hash }] : [];
  return [...own, ...inside, ...checkpointsIn(payloadIn(value), depth + 1)];
}

function isCheckpoint(value: object): value is Checkpoint {
  const { size, hash } = value as { size?: unknown; hash?: unknown };
  return Number.isSafeInteger(size) && typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash);
}

/** What a signed document says; its signature is not looked at, as whoever keeps a witness vouches for it. */
function payloadIn(value: object): unknown {
  if (!('payload' in value) || !('signatures' in value) || typeof value.payload !== 'string') return null;
  try {
    return JSON.parse(Buffer.from(value.payload, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
}

function valuesIn(text: string): unknown[] {
  try {
    return [JSON.parse(text)];
  } catch {
    return text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => JSON.parse(line) as unknown);
  }
}
