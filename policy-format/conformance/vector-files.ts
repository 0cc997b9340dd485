/** The vectors as they lie in files. What each field means stands in `README.md` beside this. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

export interface VectorFile {
  /** What these have in common. */
  about: string;
  /** base64 by digest: what a store would serve in every step of this file. */
  blobs: Record<string, string>;
  /** base64 by digest: signed documents and deltas, which requests name by it so that the file stays small. */
  documents: Record<string, string>;
  vectors: Vector[];
}

export interface Vector {
  /** The claim. */
  name: string;
  /** The row of the threat table in `docs/security.md`, where it is one. */
  threat?: string;
  steps: Step[];
}

export interface Step {
  request: Request;
  /** Over the blobs of the file; null: not to be had. */
  serve?: Record<string, string | null>;
  expect: Expectation;
}

/** Here `root`, each of `roots`, and the `bytes` of a head or a delta are digests; the subject is sent what they stand for. */
type Request = { do: string; [field: string]: unknown };

/** Fields of `accept` that are not listed are not compared. */
export type Expectation = { accept: Record<string, unknown> } | Refusal;

export interface Refusal {
  stage: string;
  code: string;
}

/** By the file's name without its ending, sorted. */
export function readVectorFiles(dir: string): Map<string, VectorFile> {
  const files = readdirSync(dir).filter((name) => name.endsWith('.json'));
  return new Map(
    files.sort().map((name) => {
      const file: VectorFile = JSON.parse(readFileSync(join(dir, name), 'utf8'));
      return [basename(name, '.json'), file];
    }),
  );
}
