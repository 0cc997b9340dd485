/** One request of the demonstration: who asks for what, from which loopback address. */
import { request } from 'node:http';

export interface DemoRequest {
  from: string;
  host: string;
  method: string;
  path: string;
}

export interface DemoAnswer {
  status: number;
  /** The opaque reference of a 403. */
  ref: string | null;
}

const timeoutMs = 5000;

export function sendRequest(port: number, { from, host, method, path }: DemoRequest): Promise<DemoAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: '127.0.0.1',
      port,
      localAddress: from,
      method,
      path,
      headers: { host },
      agent: false,
      timeout: timeoutMs,
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      response.resume();
      const ref = response.headers['edgeward-ref'];
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, ref: typeof ref === 'string' ? ref : null }),
      );
      response.on('error', reject);
    });
    outgoing.end();
  });
}
