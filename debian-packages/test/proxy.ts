/** A proxy that apt is sent to instead of the network, for what goes wrong on the way to a mirror. */
import { createServer, type Server } from 'node:http';
import type { Test } from 'tap';

/** Until the test ends, apt reaches only what `answer` says; null leaves the request waiting. */
export async function behindProxy(
  t: Test,
  answer: (path: string) => { status: number; text: string } | null,
): Promise<void> {
  const server = createServer((request, response) => {
    const given = answer(new URL(request.url ?? '/', 'http://mirror').pathname);
    if (given !== null) response.writeHead(given.status).end(given.text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  sendAptTo(t, `http://127.0.0.1:${portOf(server)}`);
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
}

export function sendAptTo(t: Test, proxy: string): void {
  const before = process.env.http_proxy;
  process.env.http_proxy = proxy;
  t.teardown(() => {
    if (before === undefined) delete process.env.http_proxy;
    else process.env.http_proxy = before;
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
