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
}

export type Result = { state: 'measured'; tables: Table[]; notes: string[] } | { state: 'skipped'; reason: string };

export interface Table {
  head: string[];
  /** Cells as they are shown. */
  rows: string[][];
}

/** Runs it, and tears down what it started. */
export async function runBenchmark(benchmark: Benchmark, progress: (line: string) => void): Promise<Result> {
  const closers: (() => Promise<void>)[] = [];
  try {
    return await benchmark.run({ teardown: (run) => void closers.push(run), progress });
  } finally {
    for (const close of closers.toReversed()) {
      await close().catch((cause: unknown) => progress(`a teardown failed: ${String(cause)}`));
    }
  }
}
