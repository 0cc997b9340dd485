/** A flood is told by its number: bounded lines, an exact sum, a reference that leads somewhere, whatever is full. */
import { readFile, writeFile } from 'node:fs/promises';
import { type Denial, type Edge, flood, onEveryNginx } from '@edgeward/test/kit';
import t from 'tap';
import { eventually } from './fixtures/asking.ts';
import { killWorkers } from './fixtures/killing.ts';
import { smallPolicy } from './fixtures/policies.ts';
import { connecting, streamPolicy } from './stream/connecting.ts';

const claim = await onEveryNginx(t);

/** What NGINX itself counted, and what of it waits for its line. */
async function counted(edge: Edge): Promise<{ denied: number; lost: number; waiting: number }> {
  const { counts, waiting } = await edge.point().counts();
  const sum = (word: string): number =>
    counts.reduce((total, count) => total + (count.verdict === word ? count.total : 0), 0);
  return { denied: sum('deny'), lost: sum('lost'), waiting };
}

const told = (lines: readonly Denial[]): number => lines.reduce((sum, { count = 1 }) => sum + count, 0);

/** When nothing waits any more. */
async function settled(edge: Edge): Promise<Denial[]> {
  if (!(await eventually(async () => (await counted(edge)).waiting === 0))) throw new Error('something still waits');
  return edge.denials();
}

/** Ends with no test. */
const endless = 1_000_000_000;

claim('the clock that writes lines is that of a worker, and goes on in the one that takes its place', async (t, on) => {
  const edge = await on.startEdge(t, { servers: [{ name: 'order-front', foldAfter: 1, foldSeconds: 1 }] });
  await edge.point().apply(smallPolicy({ revision: 1 }));
  await killWorkers(edge);
  const { refused } = await flood({ port: edge.port, requests: 100 });
  t.ok(await eventually(async () => told(await edge.denials()) === refused));
  await edge.reload();
  await flood({ port: edge.port, requests: 100 });
  t.ok(await eventually(async () => told(await edge.denials()) === refused + 100), 'as after a reload');
});

claim('of equal denials the first are written in full, and the others are counted', async (t, on) => {
  const edge = await on.startEdge(t, { servers: [{ name: 'order-front', foldAfter: 20, foldSeconds: endless }] });
  await edge.point().apply(smallPolicy({ revision: 7 }));
  const seen = await flood({ port: edge.port, requests: 2000 });
  t.strictSame([seen.sent, seen.refused], [2000, 2000], 'everybody is refused all the same');
  const lines = await edge.denials();
  t.equal(lines.length, 20);
  t.ok(lines.every(({ count, path }) => count === undefined && path === '/flood'));
  t.strictSame(await counted(edge), { denied: 2000, lost: 0, waiting: 1980 });
  const folded = [...seen.refs].filter(([ref]) => !lines.some((line) => line.ref === ref));
  t.match(folded, [[/^[0-9a-f]{16}$/, 1980]], 'who was folded was shown one and the same reference');
  await edge.reload();
  t.strictSame(await counted(edge), { denied: 2000, lost: 0, waiting: 1980 }, 'a reload forgets none');
});

claim(
  'when their window is over, each reference that was shown leads to a line, which tells its number',
  async (t, on) => {
    const servers = [
      { name: 'order-front', foldAfter: 20, foldSeconds: 1, spoof: true },
      { name: 'observed', foldAfter: 5, foldSeconds: 2, spoof: true },
    ];
    const edge = await on.startEdge(t, { servers });
    const objects = ['order-front'];
    await edge.point().apply(smallPolicy({ revision: 7, objects }));
    const port = edge.ports.observed ?? 0;
    const [enforced, unknown] = await Promise.all([
      flood({ port: edge.port, requests: 3000, source: (nth) => `192.0.2.${nth % 7}` }),
      flood({ port, requests: 1000, source: (nth) => `2001:db8::${(nth % 3) + 1}` }),
    ]);
    // Of the file alone: whoever asks for the totals would have it written.
    t.ok(await eventually(async () => told(await edge.denials()) === 4000), 'it is written by itself');
    const lines = await edge.denials();
    t.strictSame(await counted(edge), { denied: 4000, lost: 0, waiting: 0 });
    const counts = new Map(lines.map(({ ref, count = 1 }) => [ref, count]));
    t.equal(counts.size, lines.length, 'no reference is of two lines');
    t.strictSame(counts, new Map([...enforced.refs, ...unknown.refs]), 'so often each was shown');
    t.ok(lines.some(({ count = 1 }) => count > 1));
    for (const line of lines.filter(({ count }) => count !== undefined)) {
      const { t: endMs, firstMs = 0, object, source } = line;
      const isFront = object === 'order-front';
      t.equal(endMs - firstMs, isFront ? 999 : 1999, 'the window');
      t.match(
        line,
        isFront ? { reason: 'unknown-source', revision: 7 } : { object: 'observed', reason: 'unknown-object' },
      );
      t.match(source, isFront ? /^192\.0\.2\./ : /^2001:db8::/);
      t.match(line, { v: 1, peer: null, peerPort: null, port: 'tcp/443', method: null, path: null, host: null });
      t.match(line, { truncated: true, rule: null, verdict: 'deny' });
    }
    const full = lines.filter(({ count, object }) => count === undefined && object === 'order-front');
    const bySource = new Map<string, number>();
    for (const { source, t: atMs } of full) {
      const key = `${source} ${Math.floor(atMs / 1000)}`;
      bySource.set(key, (bySource.get(key) ?? 0) + 1);
    }
    t.ok(
      [...bySource.values()].every((count) => count <= 20),
      'of each source in a window so many in full',
    );
  },
);

claim('connections are folded as requests are, in a zone of their own', async (t, on) => {
  const edge = await on.startEdge(t, {
    servers: [{ name: 'order-front', foldAfter: 2, foldSeconds: 1 }],
    stream: [{ name: 'billing-db', foldAfter: 5, foldSeconds: 1 }],
  });
  await edge.point().apply(streamPolicy({ revision: 3 }));
  const connections = Array.from({ length: 60 }, () => connecting(edge, { from: '127.0.0.9' }));
  const [answers] = await Promise.all([Promise.all(connections), flood({ port: edge.port, requests: 100 })]);
  t.ok(answers.every((answer) => answer === ''));
  const lines = await settled(edge);
  t.strictSame(await counted(edge), { denied: 160, lost: 0, waiting: 0 });
  const own = lines.filter(({ object }) => object === 'billing-db');
  t.strictSame([told(own), told(lines)], [60, 160]);
  const folded = own.filter(({ count }) => count !== undefined);
  t.ok(folded.length > 0);
  for (const line of folded) {
    t.match(line, { source: '127.0.0.9', port: 'tcp/5432', reason: 'unknown-source', ref: /^[0-9a-f]{16}$/ });
    t.match(line, { truncated: false, method: null, path: null, host: null, peer: null, peerPort: null });
  }
});

claim('where the clock of http.conf calls nobody, whoever asks for the totals has the lines written', async (t, on) => {
  const edge = await on.startEdge(t, { servers: [{ name: 'order-front', foldAfter: 2, foldSeconds: 1 }] });
  const file = `${edge.paths.snippets}/http.conf`;
  const text = await readFile(file, 'utf8');
  const without = text.replace(/js_periodic [^;]*;/, 'return 404;');
  t.not(without, text);
  await writeFile(file, without);
  await edge.restart();
  await edge.point().apply(smallPolicy({ revision: 1 }));
  await flood({ port: edge.port, requests: 100 });
  t.equal(told(await settled(edge)), 100);
});

claim('no client fills a zone with what it can make up: objects by name, and sources', async (t, on) => {
  const edge = await on.startEdge(t, {
    servers: [
      { name: 'named', bind: '$arg_name', foldAfter: 2, foldSeconds: 3 },
      { name: 'order-front', spoof: true, foldAfter: 2, foldSeconds: 3 },
    ],
  });
  await edge.point().apply(smallPolicy({ revision: 1 }));
  const requests = 4500;
  const path = (nth: number): string => `/?name=made-up-${nth % 4200}`;
  const source = (nth: number): string => `10.${(nth >> 8) % 200}.${nth & 255}.1`;
  await flood({ port: edge.port, requests, path });
  await flood({ port: edge.ports['order-front'] ?? 0, requests, source });
  const lines = await settled(edge);
  t.strictSame(await counted(edge), { denied: 2 * requests, lost: 0, waiting: 0 });
  t.equal(told(lines), 2 * requests);
  t.ok(
    lines.some(({ object, count = 1 }) => object === '' && count > 1),
    'what there was no room for has no name',
  );
  t.notMatch(await readFile(edge.paths.errorLog, 'utf8'), /no memory|SharedMemoryError/);
});
