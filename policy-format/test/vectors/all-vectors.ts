/** Every file of conformance vectors, made anew. */
import type { Vector, VectorFile } from '../../conformance/vector-files.ts';
import { approvals, breakGlass } from './approvals.ts';
import { deltas } from './deltas.ts';
import { order, origin } from './heads.ts';
import { honest } from './honest.ts';
import { canonical, json } from './json.ts';
import { fences, pages } from './members.ts';
import { roots } from './roots.ts';
import { books, rules, signedRules } from './rules.ts';
import { vectorFile } from './scenario.ts';

export async function allVectors(): Promise<Map<string, VectorFile>> {
  const plain = (about: string, vectors: readonly Vector[]): VectorFile => ({
    about,
    blobs: {},
    documents: {},
    vectors: [...vectors],
  });
  const files: Record<string, VectorFile> = {
    approvals: await vectorFile('Approvals that are not enough, or not for this', approvals),
    'break-glass': await vectorFile('What one approver alone can open, and how it ends', breakGlass),
    'canonical-json': plain('Bytes of canonical JSON, and bytes that are not', canonical),
    deltas: await vectorFile('Deltas that do not reach what their head says', deltas),
    fences: await vectorFile('Members that people have not allowed', fences),
    'head-json': await vectorFile('Heads in bytes that are refused before they are believed', json),
    'head-order': await vectorFile('Heads of yesterday, and of a future that nobody wrote', order),
    'head-origin': await vectorFile('Heads of elsewhere, and of nobody', origin),
    honest: await vectorFile('What is to be taken over from an honest store', honest),
    'member-books': plain('Pages and index of given members', books),
    pages: await vectorFile('Pages and indices that are not whole, or not in their one form', pages),
    roots: await vectorFile('Trust roots that do not follow', roots),
    rules: plain('Rules documents as bytes', rules),
    'signed-rules': await vectorFile('Rules that were approved, and are not taken all the same', signedRules),
  };
  return new Map(Object.entries(files));
}

export function vectorText(file: VectorFile): string {
  return `${JSON.stringify(file, null, 2)}\n`;
}
