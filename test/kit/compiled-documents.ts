/** Documents of the design → what one point receives, the way the product does it. A policy with errors throws. */
import { type CompiledPolicy, type CompileMemo, compilePoint } from '@edgeward/policy';
import { sha256Hex } from '@edgeward/runtime';
import { compileDocuments as resolveDocuments } from '../../policy/test/compiled.ts';

export interface CompileRequest {
  revision: number;
  /** Default `edge-1`. */
  point?: string;
  /** An ISO instant. Default 2026-11-22T00:00:00Z. */
  now?: string;
  memo?: CompileMemo;
}

export function compileDocuments(documents: unknown[], request: CompileRequest): CompiledPolicy {
  const { revision, point = 'edge-1', now = '2026-11-22T00:00:00Z', memo } = request;
  const { resolution, findings } = resolveDocuments(documents, now);
  const error = findings.find((finding) => finding.severity === 'error');
  if (error !== undefined) throw new Error(`document ${error.line}: ${error.code}: ${error.message}`);
  return compilePoint(resolution, point, { revision, digest: sha256Hex, ...(memo === undefined ? {} : { memo }) });
}
