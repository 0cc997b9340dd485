/** One request of the demonstration: who asks for what, from which loopback address. */
import { type Agent, request } from 'node:http';

export interface DemoRequest {
  from: string;
  host: string;
  method: string;
  path: string;
}

export interface DemoTarget {
  host: string;
  port: number;
}

export interface DemoAnswer {
  /** 0: the connection was reset. */
  status: number;
  /** The opaque reference of a 403. */
  ref: string | null;
}

const timeoutMs = 5000;

/** On a connection of its own, unless an agent keeps one. */
export function sendRequest(target: DemoTarget, asked: DemoRequest, agent: Agent | false = false): Promise<DemoAnswer> {
  const { from, host, method, path } = asked;
  return new Promise((resolve, reject) => {
    const outgoing = request({
      ...target,
      localAddress: from,
      method,
      path,
      headers: { host },
      agent,
      timeout: timeoutMs,
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    outgoing.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' ? resolve({ status: 0, ref: null }) : reject(error),
    );
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
