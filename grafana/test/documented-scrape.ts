/**
 * A scrape with every metric of docs/metrics.md once for each value of its labels that a query names. What one machine can
 * not have at once, hosts, BIG-IPs and a store, is asked for all the same: the page is held to the code elsewhere.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Row {
  name: string;
  type: string;
  labels: string[];
}

/** Of these labels every value; of any other, one. */
const values: Record<string, string[]> = {
  state: [
    'proven',
    'failed',
    'unproven',
    'current',
    'behind',
    'unreachable',
    'applied',
    'held',
    'done',
    'none',
    'silent',
  ],
  verdict: ['deny', 'would-deny'],
  rule: ['', 'sample-rule'],
};

/** Stands for a number that every scrape has one more of. */
const grows = '@';

function documentedScrape(): string {
  const page = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  const found = [...page.matchAll(/^\| `([a-z_]+)` \| (gauge|counter|histogram) \| ([^|]+) \|/gm)];
  const rows = found.map(([, name = '', type = '', labels = '']): Row => {
    return { name, type, labels: labels.trim() === '–' ? [] : labels.trim().split(', ') };
  });
  const once = rows.filter(({ name }, index) => rows.findIndex((other) => other.name === name) === index);
  const ofProcess = ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds'];
  return `${[...once.flatMap(linesOf), ...ofProcess.map((name) => `${name} ${grows}`)].join('\n')}\n`;
}

function linesOf({ name, type, labels }: Row): string[] {
  const sets = labels.reduce<string[][]>(
    (made, label) =>
      made.flatMap((set) => (values[label] ?? [`sample-${label}`]).map((value) => [...set, `${label}="${value}"`])),
    [[]],
  );
  if (type !== 'histogram') return sets.map((set) => `${name}{${set.join(',')}} ${type === 'gauge' ? '1' : grows}`);
  return sets.flatMap((set) =>
    ['0.5', '+Inf'].map((le) => `${name}_bucket{${[...set, `le="${le}"`].join(',')}} ${grows}`),
  );
}

/** On loopback; it grows with every scrape, as counters do. The answer is where. */
export async function serveDocumentedScrape(t: { teardown(end: () => Promise<void>): unknown }): Promise<string> {
  const text = documentedScrape();
  let scrapes = 0;
  const server = createServer((_, response) => {
    scrapes += 1;
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(text.replaceAll(grows, String(scrapes)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
