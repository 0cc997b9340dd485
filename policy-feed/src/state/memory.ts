/**
 * What a follower remembers beside its state, and longer: the floor, and what it witnessed. It carries its own digest: a bit
 * that flipped on a disk must not lower a floor.
 */
import { canonicalJson, type Digest, digestOf, type Floor, parseCanonical } from '@edgeward/policy-format';
import type { Witness } from './witness.ts';

export interface Memory {
  floor: Floor;
  witness: Witness | null;
}

interface Sealed {
  format: 1;
  memory: Memory;
  sha256: Digest;
}

export const MEMORY_BYTES: number = 64 * 1024;

/** The canonical JSON of a `Sealed`, written out once. */
export function sealed(memory: Memory): string {
  const text = canonicalJson(memory);
  return `{"format":1,"memory":${text},"sha256":"${digestOf(text)}"}`;
}

/** Throws for anything that was not sealed here. */
export function memoryIn(bytes: Uint8Array): Memory {
  const value = parseCanonical(bytes, 'the floor', MEMORY_BYTES);
  if (!isSealed(value)) throw new TypeError('the floor is not as it was written');
  return value.memory;
}

function isSealed(value: unknown): value is Sealed {
  if (typeof value !== 'object' || value === null) return false;
  const { format, memory, sha256 }: Partial<Record<string, unknown>> = { ...value };
  return format === 1 && memory !== undefined && sha256 === digestOf(canonicalJson(memory));
}
