/** A call of NGINX's push endpoint as anybody could make it, past the driver: to tamper, and to be refused. */
import { request } from 'node:http';

export interface PushCall {
  method?: 'GET' | 'POST';
  /** Such as `state`, `set`, `switch`. */
  call: string;
  token?: string;
  headers?: Record<string, string>;
  body?: string;
}

export interface PushAnswer {
  status: number;
  body: unknown;
}

export function pushCall(pushUrl: string, of: PushCall): Promise<PushAnswer> {
  const authorization = of.token === undefined ? {} : { authorization: `Bearer ${of.token}` };
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL(`/edgeward/${of.call}`, pushUrl), {
      method: of.method ?? 'GET',
      agent: false,
      headers: { ...authorization, ...of.headers, 'content-length': Buffer.byteLength(of.body ?? '') },
      timeout: 20_000,
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('the push endpoint did not answer')));
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      response.setEncoding('utf8');
      let text = '';
      response.on('data', (piece: string) => {
        text += piece;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parsed(text) }));
    });
    outgoing.end(of.body ?? '');
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
