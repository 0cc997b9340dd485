/** The end of a server that a test started, whatever its clients are in the middle of. */
import { once } from 'node:events';
import type { Server } from 'node:http';

/**
 * Ends a server and its connections. A TLS connection is in the server's list only after its handshake, and until
 * it ends the server does not: so the list is emptied again until nothing is left.
 */
export async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  const again = setInterval(() => server.closeAllConnections(), 20);
  await closed;
  clearInterval(again);
}
