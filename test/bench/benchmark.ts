/**
 * What a benchmark is: a name, what it claims to measure, and tables of what it found. It starts what it needs and takes
 * it away again; it neither prints nor writes files that stay.
 */
export interface Benchmark {
  name: string;
  /** One sentence: what is measured. */
  measures: string;
  run(bench: Bench): Promise<Result>;
}

/** What a benchmark is given: the run it belongs to. */
export interface Bench {
  /** Run when the benchmark ends, however it ends; last first. */
  teardown(run: () => Promise<void>): void;
  /** One line for whoever waits. */
  progress(line: string): void;
  /** Without it all is measured, and only then is it the whole of what a page shows. */
  readonly part: Part;
}

/** What was asked for of a benchmark that knows such parts; others take no notice. null: all. */
export interface Part {
  /** Names of what is compared. */
  readonly only: readonly string[] | null;
  /** Sizes of lists. */
  readonly cidrs: readonly number[] | null;
}

export const WHOLE: Part = { only: null, cidrs: null };

export type Result = { state: 'measured'; tables: Table[]; notes: string[] } | { state: 'skipped'; reason: string };

export interface Table {
  head: string[];
  /** Cells as they are shown. */
  rows: string[][];
}

/** Runs it, and tears down what it started. */
export function runBenchmark(
  benchmark: Benchmark,
  progress: (line: string) => void,
  part: Part = WHOLE,
): Promise<Result> {
  return withTeardown({ progress, part }, (bench) => benchmark.run(bench));
}

/** A stretch of a benchmark that takes away what it started before the next one begins. */
export async function withTeardown<T>(of: Omit<Bench, 'teardown'>, run: (bench: Bench) => Promise<T>): Promise<T> {
  const { progress, part } = of;
  const closers: (() => Promise<void>)[] = [];
  try {
    return await run({ teardown: (close) => void closers.push(close), progress, part });
  } finally {
    for (const close of closers.toReversed()) {
      await close().catch((cause: unknown) => progress(`a teardown failed: ${String(cause)}`));
    }
  }
}
