/** A small example upstream: answers 200 with what it was asked, as JSON, so that a test sees what a point let through. */
import { createServer } from 'node:http';
import type { Teardown } from './edge.ts';
import { freePort } from './free-port.ts';

export interface Upstream {
  readonly port: number;
  readonly url: string;
  /** Requests that reached it. */
  requests(): number;
  stop(): Promise<void>;
}

export async function startUpstream(t: Teardown): Promise<Upstream> {
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    const { method, url, headers } = request;
    response.setHeader('content-type', 'application/json');
    response.end(`${JSON.stringify({ method, url, host: headers.host ?? null })}\n`);
  });
  const port = await freePort();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  t.teardown(stop);
  return { port, url: `http://127.0.0.1:${port}`, requests: () => requests, stop };
}
