import { openPushConnection } from './push-connection.ts';
import { callFailed, type PushAnswer, type PushTransport, type TransportOptions } from './push-transport.ts';

/** Calls as requests of HTTP, over one kept connection. */
export function openPushRequests(options: TransportOptions): PushTransport {
  const connection = openPushConnection(options.point, options.tls);
  return {
    async call(call) {
      const outgoing = await connection.request(new URL(`/edgeward/${call.path}`, options.url), {
        method: call.method,
        headers: {
          authorization: `Bearer ${call.token}`,
          'edgeward-boot-id': call.bootId,
          'edgeward-writer': call.writer,
          'content-length': Buffer.byteLength(call.body),
        },
        timeout: options.timeoutMs,
      });
      return new Promise<PushAnswer>((resolve, reject) => {
        const failed = (cause: unknown): void => reject(callFailed(cause, options));
        outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${options.timeoutMs} ms`)));
        outgoing.on('error', failed);
        outgoing.on('response', (response) => {
          const pieces: Buffer[] = [];
          response.on('data', (piece: Buffer) => pieces.push(piece));
          response.on('error', failed);
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, text: Buffer.concat(pieces).toString('utf8') }),
          );
        });
        outgoing.end(call.body);
      });
    },
    close: () => connection.close(),
  };
}
