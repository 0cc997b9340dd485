import { push } from './push.ts';
import { closeRequestFolds, closeStreamFolds } from './request-folds.ts';
import { streamPush } from './stream-push.ts';
import { streamVerdict } from './stream-verdict.ts';
import { verdict } from './verdict.ts';

/**
 * What http.conf imports: `js_set $edgeward_verdict edgeward.verdict`, `js_content edgeward.push` and
 * `js_periodic edgeward.closeFolds`; and stream.conf: `js_access edgeward.streamVerdict`, `js_preread edgeward.streamPush`
 * and `js_periodic edgeward.closeStreamFolds`.
 */
const handlers: {
  push(r: NginxHTTPRequest): void;
  verdict(r: NginxHTTPRequest): string;
  closeFolds(session: NginxPeriodicSession): void;
  streamVerdict(s: NginxStreamRequest): void;
  streamPush(s: NginxStreamRequest): void;
  closeStreamFolds(session: NginxPeriodicSession): void;
} = { push, verdict, closeFolds: closeRequestFolds, streamVerdict, streamPush, closeStreamFolds };

export default handlers;
