/** Documents of the design → what one point receives, the way the product does it. A policy with errors throws. */
import {
  type CompiledPolicy,
  type CompileMemo,
  compilePoint,
  type Finding,
  linkModel,
  lint,
  type Resolution,
  resolve,
} from '@edgeward/policy';
import { sha256Hex } from '@edgeward/runtime';

export interface CompileRequest {
  revision: number;
  /** Default `edge-1`. */
  point?: string;
  /** An ISO instant. Default 2026-11-22T00:00:00Z. */
  now?: string;
  memo?: CompileMemo;
}

export function compileDocuments(documents: readonly unknown[], request: CompileRequest): CompiledPolicy {
  const resolution = resolveDocuments(documents, request.now ?? '2026-11-22T00:00:00Z');
  const { revision, memo } = request;
  const options = { revision, digest: sha256Hex, ...(memo === undefined ? {} : { memo }) };
  return compilePoint(resolution, request.point ?? 'edge-1', options);
}

function resolveDocuments(documents: readonly unknown[], now: string): Resolution {
  const findings: Finding[] = [];
  const locate = (): { line: number; column: number } => ({ line: 1, column: 1 });
  const model = linkModel(
    documents.map((value, index) => ({ file: `document-${index + 1}`, value, locate })),
    findings,
  );
  const resolution = resolve(model, Date.parse(now));
  findings.push(...lint(resolution, { inventoryOnly: false }));
  const error = findings.find((finding) => finding.severity === 'error');
  if (error !== undefined) throw new Error(`${error.file}: ${error.code}: ${error.message}`);
  return resolution;
}
