/** An answer on its way out: its bytes, its headers, and what restjavad adds to an error of its own. */
import type { ServerResponse } from 'node:http';
import type { TmosVersion } from '../simulator.ts';
import type { Answer } from './answer.ts';
import type { Dispatched } from './dispatch.ts';
import { badRequestPage } from './html-pages.ts';
import { headersOf } from './response-headers.ts';

export interface Operation {
  version: TmosVersion;
  /** `restOperationId` */
  operation: number;
}

/** For bytes that are no request: there is nothing to answer through. */
export const badRequest: string = rawPage(badRequestPage);

export function writeAnswer(response: ServerResponse, done: Dispatched, operation: Operation): void {
  const { answer, userName } = done;
  const content = contentOf(answer, response.req.socket.remoteAddress ?? '', operation);
  for (const [name, value] of headersOf(answer, operation.version, userName)) response.appendHeader(name, value);
  if (answer.form === 'json' && answer.endsConnection === true) response.setHeader('Connection', 'close');
  response.setHeader('Content-Length', Buffer.byteLength(content));
  response.writeHead(answer.status);
  response.end(response.req.method === 'HEAD' ? '' : content);
}

function contentOf(answer: Answer, referer: string, { operation }: Operation): string {
  if (answer.form === 'empty') return '';
  if (answer.form === 'html') return answer.html;
  if (answer.form === 'json') return JSON.stringify(answer.body);
  const { status, message, fields = {} } = answer;
  const said = { code: status, message, ...fields, referer, restOperationId: operation, kind: ':resterrorresponse' };
  return JSON.stringify(said);
}

function rawPage(answer: Answer): string {
  const content = answer.form === 'html' ? answer.html : '';
  const headers = `Connection: close\r\nContent-Type: text/html\r\nContent-Length: ${Buffer.byteLength(content)}`;
  return `HTTP/1.1 ${answer.status} Bad Request\r\n${headers}\r\n\r\n${content}`;
}
