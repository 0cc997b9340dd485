import { foldZone } from './fold-zone.ts';
import type { PushAnswer } from './push-calls.ts';
import { answerCall, refused } from './push-calls.ts';
import { holdsToken } from './push-token.ts';
import { closeRequestFolds } from './request-folds.ts';
import type { Zone } from './zone-life.ts';

const SCHEME = 'Bearer ';

/** The push endpoint of the http module: `METHOD /edgeward/CALL` with the token of a file, on loopback or mutual TLS. */
export function push(r: NginxHTTPRequest): void {
  const answer = authorised(r)
    ? answerRequest(r)
    : refused(401, 'EDW_ERR_POINT_TOKEN', 'the bearer token is missing or wrong');
  r.headersOut['Content-Type'] = 'application/json';
  r.return(answer.status, JSON.stringify(answer.body));
}

function answerRequest(r: NginxHTTPRequest): PushAnswer {
  const target = {
    zone: ngx.shared.edgeward as Zone,
    counts: ngx.shared.edgeward_counts as NgxSharedDict<number>,
    folds: foldZone('edgeward_folds'),
    lastKnown: () => r.variables.edgeward_last_known as string,
    included: includedBy(r),
  };
  const call = `${r.method} ${r.uri.slice('/edgeward/'.length)}`;
  if (call === 'GET counts') closeRequestFolds(r);
  return answerCall(target, {
    call,
    bootId: r.variables.http_edgeward_boot_id || '',
    writer: r.variables.http_edgeward_writer || '',
    body: r.requestText || '',
  });
}

/** hybrid.conf names the folder; without that file there is no such variable. */
function includedBy(r: NginxHTTPRequest): { folder: string; generation: string } | undefined {
  const folder = r.variables.edgeward_snapshots || '';
  return folder === '' ? undefined : { folder, generation: r.variables.edgeward_generation || '' };
}

function authorised(r: NginxHTTPRequest): boolean {
  const given = r.variables.http_authorization || '';
  const token = given.slice(0, SCHEME.length) === SCHEME ? given.slice(SCHEME.length) : '';
  return holdsToken(token, r.variables.edgeward_token_file as string, (message) => r.error(message));
}
