/** As the cutting proxy of http's push endpoint, for frames: counts the writes that really were sent, and cuts them. */
import { connect, createServer, type Socket } from 'node:net';

export interface CuttingFrames {
  readonly url: string;
  /** Calls that change the zone, those that were cut included. */
  writes(): number;
  unreach(): void;
  mend(): void;
  close(): Promise<void>;
}

const writing = /^EDW1 [0-9a-f]{8}\nPOST (begin|set|switch|delete)\n/;

/** `isCut` is asked at each write, after it was counted. */
export async function startCuttingFrames(target: string, isCut: () => boolean): Promise<CuttingFrames> {
  const { hostname, port: targetPort } = new URL(target);
  const open = new Set<Socket>();
  let writes = 0;
  let reachable = true;
  const pass = (client: Socket, first: Buffer): void => {
    const isWrite = writing.test(first.toString('latin1'));
    if (isWrite) writes += 1;
    if (!reachable || (isWrite && isCut())) return void client.destroy();
    const upstream = connect({ host: hostname, port: Number(targetPort) }, () => upstream.write(first));
    client.on('data', (piece) => upstream.write(piece));
    upstream.on('data', (piece) => client.write(piece));
    upstream.on('error', () => {});
    upstream.on('close', () => client.end());
    client.on('close', () => upstream.destroy());
  };
  const server = createServer((client) => {
    open.add(client);
    client.on('close', () => open.delete(client));
    client.on('error', () => {});
    if (!reachable) client.destroy();
    // A call of the driver is one write of few kilobytes; its first lines are in the first piece.
    client.once('data', (first) => pass(client, first));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `tcp://127.0.0.1:${port}`,
    writes: () => writes,
    unreach: () => {
      reachable = false;
      for (const socket of open) socket.destroy();
    },
    mend: () => {
      reachable = true;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}
