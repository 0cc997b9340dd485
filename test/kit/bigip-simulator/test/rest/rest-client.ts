/** A plain iControl REST client for tests: one call, its status, headers and body as they came. */
import { Agent, request } from 'node:https';
import type { Simulator } from '../../src/index.ts';

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

/** A client of the administrator, gone with the test. */
export function adminOf(t: { teardown(run: () => void): void }, simulator: Simulator, unit = 0): RestClient {
  const { url } = simulator.units[unit] ?? { url: '' };
  const client = createRestClient(url, simulator.ca, basic('admin', 'admin'));
  t.teardown(() => client.close());
  return client;
}

function send(agent: Agent, url: string, method: string, options: CallOptions): Promise<Response> {
  const content = contentOf(options.body);
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const headers = { ...(content === null ? {} : { 'content-length': String(content.length) }), ...options.headers };
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
  return promise;
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
