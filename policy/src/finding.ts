/** One thing found in a policy directory. Errors keep the policy from being published; warnings never do. */
export interface Finding {
  severity: 'error' | 'warning';
  /** Stable, in `docs/errors.md`. */
  code: string;
  file: string;
  /** From 1. */
  line: number;
  /** From 1. */
  column: number;
  message: string;
  mend: string;
}

/** A step into a document: a key or an index. */
export type Path = (string | number)[];

/** One document as it was read, before anything in it is believed. */
export interface SourceDocument {
  file: string;
  /** Parsed from YAML or JSON; nothing about its shape is known. */
  value: unknown;
  /** Where the value at `path` stands, or its key; the nearest parent when the path is missing. Called only for findings. */
  locate(path: Path, part?: 'value' | 'key'): { line: number; column: number };
}
