import type { SourceDocument } from '@edgeward/policy';
import type { Digest } from '@edgeward/policy-format';

/**
 * What people edit, as bytes that can be signed: canonical documents, one a line, sorted by kind and name. Workloads
 * without a point are inventory and no part of it; those with one stand here without their addresses.
 */
export interface Bundle {
  documents: BundleDocument[];
  bytes: Uint8Array;
  digest: Digest;
}

export type BundleDocument = { kind: BundleKind; name: string } & { [key: string]: unknown };
export type BundleKind = 'Network' | 'Point' | 'Policy' | 'Service' | 'VirtualServer' | 'Workload';

/** Throws EDW_ERR_BUNDLE with every document that can stand in none. */
export function bundleOf(_documents: readonly SourceDocument[]): Bundle {
  throw new Error('not yet');
}

/** The Workload documents of a directory, as an inventory has them. */
export function inventoryOf(_documents: readonly SourceDocument[]): SourceDocument[] {
  throw new Error('not yet');
}

/** Bytes that came from somewhere. Throws EDW_ERR_BUNDLE for anything but the canonical form, EDW_ERR_FORMAT_…. */
export function parseBundle(_bytes: Uint8Array): Bundle {
  throw new Error('not yet');
}

/** As `linkModel` reads them; the place of a document is `policy/NAME`, line 1. */
export function sourceDocumentsOf(_bundle: Bundle): SourceDocument[] {
  throw new Error('not yet');
}

/** The bundle with this document in place of one of the same kind and name, or added. */
export function withDocument(_bundle: Bundle, _document: { kind: string; name: string }): Bundle {
  throw new Error('not yet');
}

export function withoutDocument(_bundle: Bundle, _kind: string, _name: string): Bundle {
  throw new Error('not yet');
}

export interface Grant {
  /** Part of the rule's id: `grant-NAME`. */
  name: string;
  /** A CIDR or an address; a network's name; or labels with a fence. */
  from: { cidr: string } | { network: string } | { workloads: string; within: string[]; max?: number };
  /** A selector of protected objects. */
  to: string;
  ports: string[];
  until: string;
  reason: string;
}

/** A Policy document of one rule that ends by itself, at the point too. Throws EDW_ERR_GRANT. */
export function grantDocument(_grant: Grant, _nowMs: number): BundleDocument {
  throw new Error('not yet');
}
