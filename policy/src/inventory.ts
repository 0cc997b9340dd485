import { readDocument } from './documents.ts';
import { isMapping, reporter } from './field-reader.ts';
import type { Finding, SourceDocument } from './finding.ts';
import { duplicateName } from './linking.ts';
import type { Model, Placed, Workload } from './model.ts';

/**
 * Who is where, from documents that machines write and nobody signs, put beside documents that people signed. What is
 * protected, with its labels, point, ports and mode, is the model's. Who is a member of a group, and of which address, is
 * the inventory's, also for a host that is protected itself: its labels may differ there. So a central store fills groups,
 * and so a change is to be judged and shown before it gets there.
 */

/**
 * The workloads among these documents, whatever they say of points. Read once, they serve any number of models. One with an
 * error, or with the name of an earlier one, is left out, and a finding says so.
 */
export function linkInventory(documents: readonly SourceDocument[], findings: Finding[]): Placed<Workload>[] {
  const known: Record<string, Placed<Workload>> = Object.create(null);
  const out: Placed<Workload>[] = [];
  documents.forEach((document) => {
    const it = readWorkload(document, findings);
    if (it === null) return;
    const before = known[it.value.name];
    if (before !== undefined) {
      findings.push(duplicateName(it, before));
      return;
    }
    known[it.value.name] = it;
    out.push(it);
  });
  return out;
}

/** Null as well where it is of another kind. */
function readWorkload(document: SourceDocument, findings: Finding[]): Placed<Workload> | null {
  const value = document.value;
  if (!isMapping(value) || value.kind !== 'Workload') return null;
  const found: Finding[] = [];
  const own = unprotected(document, value);
  const read = readDocument(own.value, reporter(own, found));
  found.forEach((it) => {
    findings.push(it);
  });
  // Half a workload could be a member of what asks for a label that is missing.
  if (read === null || read.kind !== 'Workload' || found.some((it) => it.severity === 'error')) return null;
  return { value: read, document: own };
}

const OF_POINTS = ['point', 'ports', 'mode'];

function unprotected(document: SourceDocument, value: Record<string, unknown>): SourceDocument {
  if (!OF_POINTS.some((key) => value[key] !== undefined)) return document;
  const own: Record<string, unknown> = Object.create(null);
  Object.keys(value).forEach((key) => {
    if (OF_POINTS.indexOf(key) < 0) own[key] = value[key];
  });
  return { file: document.file, value: own, locate: (path, part) => document.locate(path, part) };
}

/**
 * The model with the workloads of an inventory for members. A workload that is both protected and in the inventory stands
 * there twice, under one name: once for what it is, without addresses, and once for where it is.
 */
export function withInventory(model: Model, inventory: readonly Placed<Workload>[]): Model {
  const hosts = model.workloads.filter((it) => it.value.point !== null).map(withoutAddresses);
  return Object.assign({}, model, { workloads: hosts.concat(inventory) });
}

function withoutAddresses(it: Placed<Workload>): Placed<Workload> {
  if (it.value.addresses.length === 0) return it;
  return { value: Object.assign({}, it.value, { addresses: [] }), document: it.document };
}
