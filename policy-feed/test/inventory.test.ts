/** Names of workloads, as they come over HTTPS and with a folder: whole, bounded, and only when there is something new. */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { createLogger } from '@edgeward/runtime';
import t from 'tap';
import { createFileTransport, createHttpsTransport, type Inventory, type Transport } from '../src/index.ts';
import { INVENTORY_BYTES, inventoryLines } from '../src/inventory-lines.ts';
import { openSmallStore } from './fixtures/small-store.ts';

const NEVER = new AbortController().signal;
const line = (n: number): string =>
  `{"addresses":["10.30.0.${n}"],"kind":"Workload","labels":{"app":"crm"},"name":"w-${n}"}`;

async function linesOf(inventory: Inventory | null | undefined): Promise<string[] | null> {
  return inventory === null || inventory === undefined ? null : collected(inventory.lines);
}

async function collected(batches: AsyncIterable<readonly string[]>): Promise<string[]> {
  const lines: string[] = [];
  for await (const batch of batches) lines.push(...batch);
  return lines;
}

async function codeOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
    return 'none';
  } catch (thrown) {
    return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'uncoded';
  }
}

t.test('lines are put together from pieces, wherever these were cut', async (t) => {
  const text = Buffer.from(`${line(1)}\n{"name":"ü"}\n${line(2)}\n`);
  for (const size of [1, 2, 7, 64, text.length]) {
    const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
      text.subarray(i * size, (i + 1) * size),
    );
    t.strictSame(await collected(inventoryLines(pieces, 'reading')), [line(1), '{"name":"ü"}', line(2)], `${size}`);
  }
  t.strictSame(await collected(inventoryLines([], 'reading')), []);
});

t.test('what is cut off, too long, too large or no text is refused', async (t) => {
  const piece = Buffer.alloc(1024 * 1024, `${'x'.repeat(32_767)}\n`);
  const cases: Record<string, Iterable<Uint8Array>> = {
    'cut off': [Buffer.from(`${line(1)}\n${line(2).slice(0, 20)}`)],
    'a long line without an end': [Buffer.alloc(70_000, 'x')],
    'no text': [Buffer.from([0x7b, 0xff, 0x7d, 0x0a])],
    'too many lines': [Buffer.alloc(1_000_001 * 2, 'x\n')],
    'too large': Array.from({ length: INVENTORY_BYTES / piece.length + 1 }, () => piece),
  };
  for (const [name, pieces] of Object.entries(cases)) {
    const read = async (): Promise<void> => {
      for await (const _ of inventoryLines(pieces, 'reading'));
    };
    t.equal(await codeOf(read), 'EDW_ERR_STORE_ANSWER', name);
  }
});

t.test('a folder gives its inventory once, and again when the file was replaced', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-inventory-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const transport = createFileTransport({ folder });
  t.equal(await transport.inventory?.(null, NEVER), null, 'nobody copied one');
  const file = join(folder, 'inventory.ndjson');
  await writeFile(file, `${line(1)}\n`);
  const first = await transport.inventory?.(null, NEVER);
  t.strictSame(await linesOf(first), [line(1)]);
  t.equal(await transport.inventory?.(first?.etag ?? '', NEVER), null);
  await writeFile(`${file}.new`, `${line(1)}\n${line(2)}\n`);
  await rename(`${file}.new`, file);
  t.strictSame(await linesOf(await transport.inventory?.(first?.etag ?? '', NEVER)), [line(1), line(2)]);
  await rm(file);
  t.equal(await transport.inventory?.(first?.etag ?? '', NEVER), null);
});

t.test('over HTTPS', async (t) => {
  const store = await openSmallStore(t);
  const transport: Transport = createHttpsTransport({
    url: store.url,
    tls: store.tls,
    logger: createLogger({ level: 'silent' }),
    callMs: 2_000,
  });
  t.teardown(() => transport.close());
  const answered = (handler: (request: IncomingMessage, response: ServerResponse) => void): void => {
    store.instead = handler;
  };
  const ask = (known: string | null = null) => transport.inventory?.(known, NEVER);
  const body = Buffer.from(`${line(1)}\n${line(2)}\n`);

  t.test('it comes packed or not, and by its ETag only when it is new', async (t) => {
    answered((request, response) => {
      if (request.headers['if-none-match'] === '"a"') return void response.writeHead(304).end();
      response.writeHead(200, { etag: '"a"', 'content-encoding': 'gzip' }).end(gzipSync(body));
    });
    const inventory = await ask();
    t.equal(inventory?.etag, '"a"');
    t.strictSame(await linesOf(inventory), [line(1), line(2)]);
    t.equal(await ask('"a"'), null);
    answered((_, response) => void response.writeHead(200, { etag: '"b"' }).end(body));
    t.strictSame(await linesOf(await ask('"a"')), [line(1), line(2)]);
    t.equal(store.asked.at(-1), 'GET /v1/inventory');
  });

  t.test('whoever stops reading leaves nothing open', async (t) => {
    answered((_, response) => void response.writeHead(200, { etag: '"b"' }).end(body));
    for (let turn = 0; turn < 8; turn += 1)
      for await (const first of (await ask())?.lines ?? []) {
        t.equal(first[0], line(1));
        break;
      }
    t.strictSame(await linesOf(await ask()), [line(1), line(2)]);
  });

  // Made before memory is looked at: eight times what may come.
  const piece = gzipSync(Buffer.alloc(INVENTORY_BYTES / 4, `${'x'.repeat(32_767)}\n`));
  const bomb = Buffer.concat(Array.from({ length: 32 }, () => piece));
  const bad: Record<string, { code: string; handler: (response: ServerResponse) => void }> = {
    'a refusal': { code: 'EDW_ERR_STORE_REFUSED', handler: (it) => void it.writeHead(403).end('{}') },
    'a store without it': { code: 'EDW_ERR_STORE_ANSWER', handler: (it) => void it.writeHead(404).end('{}') },
    'a store in trouble': { code: 'EDW_ERR_STORE_UNREACHABLE', handler: (it) => void it.writeHead(503).end() },
    'a redirect': {
      code: 'EDW_ERR_STORE_ANSWER',
      handler: (it) => void it.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
    },
    'unchanged, unasked': { code: 'EDW_ERR_STORE_ANSWER', handler: (it) => void it.writeHead(304).end() },
    'not gzip': {
      code: 'EDW_ERR_STORE_ANSWER',
      handler: (it) => void it.writeHead(200, { 'content-encoding': 'gzip' }).end(body),
    },
    'another encoding': {
      code: 'EDW_ERR_STORE_ANSWER',
      handler: (it) => void it.writeHead(200, { 'content-encoding': 'br' }).end(body),
    },
    'announced as huge': {
      code: 'EDW_ERR_STORE_ANSWER',
      handler: (it) => void it.writeHead(200, { 'content-length': INVENTORY_BYTES + 1 }).write('{'),
    },
    'a gzip bomb': {
      code: 'EDW_ERR_STORE_ANSWER',
      handler: (it) => void it.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb),
    },
    'cut off': {
      code: 'EDW_ERR_STORE_UNREACHABLE',
      handler(it) {
        it.writeHead(200, { 'content-length': 1_000 });
        it.write(body);
        setTimeout(() => it.destroy(), 20);
      },
    },
  };
  for (const [name, { code, handler }] of Object.entries(bad))
    t.test(`${name} is a coded error within bounds`, async (t) => {
      answered((_, response) => handler(response));
      const before = process.memoryUsage().rss;
      t.equal(await codeOf(async () => linesOf(await ask())), code);
      t.ok(process.memoryUsage().rss - before < 256 * 1024 * 1024, 'memory is bounded');
    });

  t.test('a store that is away is unreachable', async (t) => {
    await store.cut();
    t.equal(await codeOf(async () => ask()), 'EDW_ERR_STORE_UNREACHABLE');
  });
});
