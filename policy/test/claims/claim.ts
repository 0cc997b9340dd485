/** One thing that must hold, said by its name; `check` throws when it does not. */
export interface Claim {
  name: string;
  check(): void;
}

/** How far a property is searched; the same seed and number give the same cases. */
export interface Search {
  seed: number;
  numRuns: number;
}
