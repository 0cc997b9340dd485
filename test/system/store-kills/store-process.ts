/**
 * The store in a process of its own, to be killed: `store-process.ts CONFIG`. It tells its parent where it listens, and
 * writes a line for each head on stdout, before anybody can fetch it. It ends with its parent.
 */
import { loadStoreConfig, type PublishedPoint, startStore } from '@edgeward/central-store';
import { createLifecycle, createLogger } from '@edgeward/runtime';

export interface PublishedLine {
  point: string;
  revision: number;
  stateRoot: string;
  version: number;
  members: string[];
  log: { size: number; hash: string };
}

const [file] = process.argv.slice(2);
process.once('disconnect', () => process.exit(0));
const config = await loadStoreConfig({ file });
const logger = createLogger({ level: config.logLevel });
const lifecycle = createLifecycle(logger);
const store = await startStore({ config, version: '0.0.0', logger, lifecycle });
store.publishing.onPublished((point) => say(store.publishing.point(point)));
for (const published of store.publishing.points()) say(published);
process.send?.(store.url);
await lifecycle.ended;

function say(published: PublishedPoint | null): void {
  if (published === null || published.state === null) return;
  const { head, state } = published;
  const members = [...state.book.groups()].flatMap((group) => state.book.members(group));
  const { aud: point, revision, stateRoot, log } = head;
  const line: PublishedLine = { point, revision, stateRoot, version: state.version, members, log };
  // Written at once: what was said before a kill was said.
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
