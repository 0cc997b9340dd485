import { createHash } from 'node:crypto';
import {
  type CompileMemo,
  compilePoint,
  decide,
  type Finding,
  type Flow,
  linkModel,
  lint,
  type Model,
  pointsOf,
  pointViews,
  type Resolution,
  resolve,
  type SourceDocument,
  type Verdict,
} from '@edgeward/policy';

/** Plain documents → verdicts, the way the product does it; for tests that start from documents of the design. */
export const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

export const asSource = (value: unknown, index: number): SourceDocument => ({
  file: 'test.yaml',
  value,
  locate: () => ({ line: index + 1, column: 1 }),
});

/** Null where the documents have errors. */
export function soundModel(documents: unknown[]): Model | null {
  const findings: Finding[] = [];
  const model = linkModel(documents.map(asSource), findings);
  return findings.some(({ severity }) => severity === 'error') ? null : model;
}

/** What all points receive, byte by byte. */
export const received = (resolution: Resolution, memo?: CompileMemo): string =>
  JSON.stringify(
    pointsOf(resolution).map((point) =>
      compilePoint(resolution, point, { revision: 7, digest, ...(memo === undefined ? {} : { memo }) }),
    ),
  );

export interface Compiled {
  resolution: Resolution;
  findings: Finding[];
  decide(flow: Flow): Verdict;
}

export function compileDocuments(documents: unknown[], now: string): Compiled {
  const findings: Finding[] = [];
  const model = linkModel(documents.map(asSource), findings);
  const resolution = resolve(model, Date.parse(now));
  findings.push(...lint(resolution, { inventoryOnly: false }));
  const views = pointViews(resolution, digest);
  return { resolution, findings, decide: (flow) => decide(views.forObject(flow.to), flow) };
}
