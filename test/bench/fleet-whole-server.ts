/**
 * One HTTPS server with the whole policy: mutual TLS, an ETag, packed once a change, and a request that knows the newest
 * waits for the next. The arguments: the file with the policy, then certificate, key and authority.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

const [file = '', certFile = '', keyFile = '', caFile = ''] = process.argv.slice(2);
const WAIT_MS = 30_000;
/** Clients that read half a minute between two requests are not cut off. */
const KEEP_MS = 300_000;
const waiting = new Map<ServerResponse, NodeJS.Timeout>();
let policy = read();

function read(): { etag: string; packed: Buffer } {
  const bytes = readFileSync(file);
  return { etag: `"${createHash('sha256').update(bytes).digest('hex')}"`, packed: gzipSync(bytes, { level: 5 }) };
}

function answer(response: ServerResponse): void {
  const headers = { etag: policy.etag, 'content-encoding': 'gzip', 'content-length': policy.packed.length };
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers });
  response.end(policy.packed);
}

const tls = { cert: readFileSync(certFile), key: readFileSync(keyFile), ca: readFileSync(caFile) };
const options = { ...tls, requestCert: true, rejectUnauthorized: true, keepAliveTimeout: KEEP_MS, noDelay: true };
const server = createServer(options, (request, response) => {
  if (request.headers['if-none-match'] !== policy.etag) return answer(response);
  const unchanged = (): void => {
    waiting.delete(response);
    response.writeHead(304, { etag: policy.etag }).end();
  };
  waiting.set(response, setTimeout(unchanged, WAIT_MS));
  response.once('close', () => {
    clearTimeout(waiting.get(response));
    waiting.delete(response);
  });
});

process.on('message', () => {
  policy = read();
  process.send?.({ is: 'changed', bytes: policy.packed.length });
  for (const [response, timer] of [...waiting]) {
    clearTimeout(timer);
    waiting.delete(response);
    answer(response);
  }
});
process.on('disconnect', () => process.exit(0));
server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () => {
  process.send?.({ is: 'listening', port: (server.address() as AddressInfo).port });
});
