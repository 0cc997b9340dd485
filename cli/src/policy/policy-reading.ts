/**
 * A policy directory as the commands want it: everything that is wrong with it, and what it says. Findings are all
 * there at once, but those that another one may only have caused are left out, so that each one is worth mending.
 */
import { join } from 'node:path';
import {
  compilePoints,
  type Finding,
  linkModel,
  lint,
  type Model,
  pointsOf,
  type Resolution,
  resolve,
} from '@edgeward/policy';
import { createDirectoryReader } from '@edgeward/policy-source';
import { sha256Hex } from '@edgeward/runtime';
import type { Context } from '../frame/command.ts';
import { withProgress } from '../frame/progress.ts';

export interface PolicyReading {
  directory: string;
  /** By file, line and column. */
  findings: Finding[];
  errors: number;
  warnings: number;
  files: number;
  /** False when documents could not be read, so that nobody knows whether what selects nothing would select them. */
  complete: boolean;
  /** What it says at this instant; fit for a verdict only where there are no errors. */
  resolution: Resolution;
}

/** What a selector that can't be read, or a document that is lost, makes true without being worth mending by itself. */
const consequences = new Set(['EDW_ERR_TO_NOTHING', 'EDW_WARN_FROM_NOTHING', 'EDW_WARN_TEST_OBJECT']);

/** Throws EDW_ERR_POLICY_DIR. */
export async function readPolicy(context: Context, directory: string): Promise<PolicyReading> {
  const says = (): string => `reading ${directory}`;
  return await withProgress(context.err, says, async () => {
    const reading = await createDirectoryReader(directory).read();
    const findings = [...reading.findings];
    const syntaxErrors = errorsIn(findings);
    const model = linkModel(reading.documents, findings);
    const complete = syntaxErrors === 0 && documentsIn(model) === reading.documents.length;
    const resolution = resolve(model, context.now());
    // One by one: a large inventory has more warnings than a call can have arguments.
    for (const found of newsIn(findings, lint(resolution, { inventoryOnly: false }))) findings.push(found);
    const kept = findings.filter(({ code }) => complete || !consequences.has(code)).sort(byPlace);
    const errors = errorsIn(kept);
    return {
      directory,
      findings: kept,
      errors,
      warnings: kept.length - errors,
      files: reading.files.length,
      complete,
      resolution,
    };
  });
}

/** What only compiling can find: a point whose policy is too fragmented to be compiled. */
export function findCompileErrors(resolution: Resolution): Finding[] {
  return compilePoints(resolution, pointsOf(resolution), { revision: 0, digest: sha256Hex }).faults;
}

/** Where a finding stands, as an editor or a terminal can open it. */
export function placeOf(directory: string, { file, line }: { file: string; line: number }, column?: number): string {
  return `${join(directory, file)}:${line}${column === undefined ? '' : `:${column}`}`;
}

function errorsIn(findings: readonly Finding[]): number {
  return findings.filter(({ severity }) => severity === 'error').length;
}

function documentsIn(model: Model): number {
  return Object.values(model).reduce((sum, placed: unknown[]) => sum + placed.length, 0);
}

/** A selector that can't be read selects nothing either; one finding at a place is enough. */
function newsIn(before: readonly Finding[], lints: readonly Finding[]): Finding[] {
  const wrong = before.filter(({ severity }) => severity === 'error');
  const taken = new Set(wrong.map(({ file, line }) => `${line} ${file}`));
  return lints.filter(({ code, file, line }) => !consequences.has(code) || !taken.has(`${line} ${file}`));
}

function byPlace(a: Finding, b: Finding): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line || a.column - b.column || (a.code < b.code ? -1 : 1);
}
