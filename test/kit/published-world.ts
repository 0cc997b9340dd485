import type { PublishedState } from '@edgeward/central-store';
import type { SignedWorld } from './signed-world.ts';

/** What a store in memory says is in force. */
export function publishedWorld(world: SignedWorld, points: ReadonlySet<string>): PublishedState {
  return {
    points: () => points,
    head(point) {
      if (!points.has(point)) return null;
      const { signed, head, book } = world.at(point);
      const { approval, rules, base, members, epoch, revision, stateRoot } = head;
      const named = [approval, rules, ...(base === null ? [] : [base.approval, base.rules]), members];
      const pages = Array.from({ length: book.pageCount }, (_, number) => book.page(number).digest);
      return {
        signed,
        cursor: { epoch, revision, stateRoot },
        blobs: [...new Set([...named.map(({ digest }) => digest), ...pages])],
      };
    },
    blob: async (_point, digest) => world.blob(digest),
    delta: (point, from) => world.delta(point, from),
    roots: () =>
      Array.from({ length: world.root.version }, (_, index) => index + 1).flatMap((version) => {
        const signed = world.rootDocument(version);
        return signed === null ? [] : [{ version, signed }];
      }),
  };
}
