/**
 * A folder as a store writes it and as anything may copy it: `heads/POINT.json`, `roots/N.json`, `blobs/sha256/HEX`, and
 * `inventory.ndjson`, which nobody has to copy. Leads one way only. A copy under way is harmless: what is half there is not
 * believed, and is looked at again.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Cursor, digestOf, isDigest } from '@edgeward/policy-format';
import { cursorIn, HEAD_WIRE_BYTES, isSameState, ROOT_WIRE_BYTES, readSigned } from '../documents.ts';
import { storeFailure } from '../failures.ts';
import { INVENTORY_BYTES, inventoryLines } from '../inventory-lines.ts';
import { checkPointName } from '../point-name.ts';
import { createSeenHeads } from '../seen-heads.ts';
import type { News, Transport } from '../transport.ts';
import { type MirrorFolder, mirrorFolder } from './mirror-folder.ts';

export interface FileTransportOptions {
  /** The folder; it may come later. */
  folder: string;
  /** How often a waiting `next` looks at the times of the file: 500 ms. */
  lookMs?: number;
}

const INVENTORY = ['inventory.ndjson'];

export function createFileTransport(options: FileTransportOptions): Transport {
  const folder = mirrorFolder(options.folder);
  const lookMs = options.lookMs ?? 500;
  const newest = createHeadReader(folder);
  return {
    name: `file:${options.folder}`,
    waits: true,
    async next(point, known, { waitMs, signal }) {
      checkPointName(point);
      const endMs = performance.now() + waitMs;
      for (;;) {
        signal.throwIfAborted();
        const news = await newest(point, known);
        const leftMs = endMs - performance.now();
        if (news.state !== 'unchanged' || leftMs <= 0) return news;
        await pause(Math.min(lookMs, leftMs), undefined, { signal });
      }
    },
    async blob(digest, maxBytes) {
      if (!isDigest(digest)) return null;
      return folder.read(
        ['blobs', 'sha256', digest],
        maxBytes,
        `reading blob ${digest.slice(0, 12)} in ${folder.path}`,
      );
    },
    async root(version) {
      if (!Number.isSafeInteger(version) || version < 1) return null;
      const doing = `reading trust root ${version} in ${folder.path}`;
      const bytes = await folder.read(['roots', `${version}.json`], ROOT_WIRE_BYTES, doing);
      return bytes === null ? null : readSigned(bytes, doing, ROOT_WIRE_BYTES);
    },
    report: null,
    async inventory(known) {
      const etag = await folder.stamp(INVENTORY);
      if (etag === null || etag === known) return null;
      const doing = `reading the names of workloads in ${folder.path}`;
      const bytes = await folder.read(INVENTORY, INVENTORY_BYTES, doing);
      return bytes === null ? null : { etag, lines: inventoryLines([bytes], doing) };
    },
    close: async () => {},
  };
}

/** The head in the folder, read again only when the file's times moved. */
function createHeadReader(folder: MirrorFolder): (point: string, known: Cursor | null) => Promise<News> {
  const seen = createSeenHeads();
  const stamps = new Map<string, string>();

  return async (point, known) => {
    const name = ['heads', `${point}.json`];
    // Taken before reading: a change in between is seen by the next look.
    const stamp = await folder.stamp(name);
    const held = seen.tagOf(point, known);
    if (held !== null && stamp !== null && stamps.get(point) === stamp) return { state: 'unchanged' };
    const doing = `reading the head of ${point} in ${folder.path}`;
    const bytes = await folder.read(name, HEAD_WIRE_BYTES, doing);
    if (bytes === null) throw storeFailure('EDW_ERR_STORE_NO_POINT', `${doing}: there is none`);
    const head = readSigned(bytes, doing, HEAD_WIRE_BYTES);
    const tag = digestOf(bytes);
    seen.saw(point, tag, head);
    if (stamp !== null) stamps.set(point, stamp);
    const isSame = tag === held && isSameState(cursorIn(head), known);
    return isSame ? { state: 'unchanged' } : { state: 'head', head, bytes: bytes.length };
  };
}
