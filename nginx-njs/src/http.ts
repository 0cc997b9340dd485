import { push } from './push.ts';
import { verdict } from './verdict.ts';

/** What http.conf imports: `js_set $edgeward_verdict edgeward.verdict` and `js_content edgeward.push`. */
const handlers: { push(r: NginxHTTPRequest): void; verdict(r: NginxHTTPRequest): string } = { push, verdict };

export default handlers;
