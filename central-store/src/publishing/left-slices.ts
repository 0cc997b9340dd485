/** What an earlier process gave to a point, read back from the mirror: in force until something else may come into force. */
import {
  approvalOf,
  type Blob,
  bookFromPages,
  type Digest,
  type Head,
  LIMITS,
  type MemberBook,
  memberIndexOf,
  payloadOf,
  rulesOf,
  sliceApprovalOf,
} from '@edgeward/policy-format';
import type { MirrorFolder } from './mirror-folder.ts';
import type { PointSlices } from './point-state.ts';
import type { PublishedPoint } from './published-point.ts';
import { createOutlines } from './rules-outline.ts';
import { type SizedBytes, type SliceBlobs, sizedBytes } from './slice-blobs.ts';

/** Null where it can't be read any more. `wanted`: very likely the same. */
export function leftSlices(
  folder: MirrorFolder,
  { point, head }: PublishedPoint,
  wanted: PointSlices,
): PointSlices | null {
  if (isGivenBy(head, wanted)) return wanted;
  try {
    const { slice, version } = sliceOf(folder, point, head);
    const base = head.base === null ? null : sliceOf(folder, point, head.base).slice;
    return { version, slice, base };
  } catch {
    return null;
  }
}

/** Members that a point was last published with; null where they can't be read any more. */
export async function leftBook(folder: MirrorFolder, published: PublishedPoint | null): Promise<MemberBook | null> {
  if (published === null) return null;
  if (published.state !== null) return published.state.book;
  try {
    const index = await folder.readBlob(published.head.members.digest);
    if (index === null) return null;
    const pages: Uint8Array[] = [];
    for (const { digest } of memberIndexOf(index).pages) {
      const page = await folder.readBlob(digest);
      if (page === null) return null;
      pages.push(page);
    }
    return bookFromPages(index, pages, () => true);
  } catch {
    return null;
  }
}

function isGivenBy(head: Head, { slice, base }: PointSlices): boolean {
  const isNamed = (named: Head['base'], blobs: SliceBlobs | null): boolean =>
    named?.approval.digest === blobs?.approvalBlob.digest && named?.rules.digest === blobs?.rulesBlob.digest;
  return isNamed(head, slice) && isNamed(head.base, base);
}

function sliceOf(
  folder: MirrorFolder,
  point: string,
  named: { approval: Blob; rules: Blob },
): { slice: SliceBlobs; version: number } {
  const rulesBlob = blobOf(folder, named.rules.digest);
  const approvalBlob = blobOf(folder, named.approval.digest);
  const rules = rulesOf(rulesBlob.bytes, point);
  const { approval } = sliceApprovalOf(approvalBlob.bytes);
  const { version } = approvalOf(payloadOf(approval, 'an approval', LIMITS.approvalBytes));
  return { slice: { rules: createOutlines()(rules), rulesBlob, approvalBlob }, version };
}

function blobOf(folder: MirrorFolder, digest: Digest): SizedBytes {
  const bytes = folder.verifiedBlob(digest);
  if (bytes === null) throw new Error(`the blob ${digest} is not there`);
  return sizedBytes(digest, bytes);
}
