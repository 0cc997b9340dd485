/** A plain iControl REST client for tests: one call, its status, headers and body as they came. */
import { Agent, request } from 'node:https';

export interface Response {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  /** Empty for what is no JSON object. */
  body: Record<string, unknown>;
}

export interface CallOptions {
  body?: unknown;
  headers?: Record<string, string>;
}

export interface RestClient {
  call(method: string, path: string, options?: CallOptions): Promise<Response>;
  close(): void;
}

const answerMs = 20_000;

/** Calls with `headers` in each; a body that is no string and no Buffer goes as JSON. */
export function createRestClient(url: string, ca: string, headers: Record<string, string> = {}): RestClient {
  const agent = new Agent({ keepAlive: true, ca });
  return {
    close: () => agent.destroy(),
    call: (method, path, options = {}) =>
      send(agent, `${url}${path}`, method, {
        ...options,
        headers: { ...headers, ...options.headers },
      }),
  };
}

export function basic(name: string, password: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` };
}

function send(agent: Agent, url: string, method: string, options: CallOptions): Promise<Response> {
  const content = contentOf(options.body);
  const length =
    content === null || options.headers?.['transfer-encoding'] !== undefined ? null : String(content.length);
  const headers = { ...(length === null ? {} : { 'content-length': length }), ...options.headers };
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { agent, method, headers, timeout: answerMs }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, body: parsed(text) });
      });
    });
    outgoing.on('error', reject);
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')));
    outgoing.end(content ?? undefined);
  });
}

function contentOf(body: unknown): Buffer | null {
  if (body === undefined) return null;
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
