import { foldZone } from './fold-zone.ts';
import { ANSWER_LIMIT, ANSWER_MOST, answerHead, FRAME_HEAD_CHARS, FRAME_LIMIT, frameLength } from './frame.ts';
import { mayBeKey } from './layout.ts';
import type { PushAnswer, PushCall, PushTarget } from './push-calls.ts';
import { answerCall, refused } from './push-calls.ts';
import { holdsToken } from './push-token.ts';
import type { Zone } from './zone-life.ts';

/**
 * The push endpoint of the stream module: `js_preread` reads one frame, `return $edgeward_answer` answers it, and the
 * connection ends. What is no frame is answered nothing. Who never ends a frame is cut off by `preread_timeout`, with
 * nothing written. Who has no token is refused as soon as it could be read: nobody else may have a worker hold a frame.
 */
export function streamPush(s: NginxStreamRequest): void {
  let isAdmitted = false;
  s.on('upstream', (data) => {
    const length = data.length < FRAME_HEAD_CHARS ? 0 : frameLength(data.slice(0, FRAME_HEAD_CHARS).toString());
    if (length < 0 || length > FRAME_LIMIT || data.length > FRAME_HEAD_CHARS + length) return close(s, '');
    if (data.length < FRAME_HEAD_CHARS) return;
    const isWhole = data.length === FRAME_HEAD_CHARS + length;
    if (!isAdmitted) {
      const opening = data.slice(FRAME_HEAD_CHARS, FRAME_HEAD_CHARS + OPENING_MOST).toString();
      const words = linesIn(opening, 2);
      if (words === null && !isWhole && opening.length < OPENING_MOST) return;
      const refusal = refusalOf(s, words);
      if (refusal !== null) return close(s, answerText(refusal));
      isAdmitted = true;
    }
    if (isWhole) close(s, answerText(answerFrame(data.slice(FRAME_HEAD_CHARS).toString(), s)));
  });
}

/** Of the call and the token: no call is long, and a token has a line of a file. */
const OPENING_MOST = 1024;

/** null: it has not so many. */
function linesIn(text: string, count: number): string[] | null {
  const lines: string[] = [];
  let at = 0;
  for (let i = 0; i < count; i += 1) {
    const end = text.indexOf('\n', at);
    if (end < 0) return null;
    lines.push(text.slice(at, end));
    at = end + 1;
  }
  return lines;
}

/** null: whoever opened a frame with these lines may go on. */
function refusalOf(s: NginxStreamRequest, opening: string[] | null): PushAnswer | null {
  if (opening === null) return refused(400, 'EDW_ERR_POINT_REFUSED', 'the frame names no call');
  // Where pushes come over TLS a map says so; on loopback stream.conf does.
  if (s.variables.edgeward_push_refused !== '0')
    return refused(403, 'EDW_ERR_POINT_CERTIFICATE', 'the subject of the client certificate is not named');
  if (!holdsToken(opening[1] as string, s.variables.edgeward_token_file as string, (message) => s.error(message)))
    return refused(401, 'EDW_ERR_POINT_TOKEN', 'the token is missing or wrong');
  return null;
}

function close(s: NginxStreamRequest, answer: string): void {
  s.off('upstream');
  s.variables.edgeward_answer = answer;
  s.done();
}

/** In ASCII, so that its characters are its bytes. */
function answerText(answer: PushAnswer): string {
  const text = JSON.stringify(answer.body).replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: anything beyond ASCII is what is looked for.
    /[^\x00-\x7f]/g,
    (character) => `\\u${`000${character.charCodeAt(0).toString(16)}`.slice(-4)}`,
  );
  if (text.length > ANSWER_MOST) return answerText(refused(500, 'EDW_ERR_POINT_REFUSED', 'the answer is too large'));
  return answerHead(answer.status, text.length) + text;
}

function answerFrame(frame: string, s: NginxStreamRequest): PushAnswer {
  const lines = linesIn(frame, 4);
  if (lines === null) return refused(400, 'EDW_ERR_POINT_REFUSED', 'the frame names no call');
  const body = frame.slice(lines.join('\n').length + 1);
  const call = { call: lines[0] as string, bootId: lines[2] as string, writer: lines[3] as string, body };
  return answerInPages(call, () => s.variables.edgeward_last_known as string);
}

/** Whatever grows with the policy is told in pages: the body of the call says where one begins, `next` where it ends. */
function answerInPages(call: PushCall, lastKnown: () => string): PushAnswer {
  const target: PushTarget = {
    zone: ngx.shared.edgeward_stream as Zone,
    counts: ngx.shared.edgeward_stream_counts as NgxSharedDict<number>,
    folds: foldZone('edgeward_stream_folds'),
    lastKnown,
  };
  if (call.call === 'GET keys') return answerKeys(target.zone, call.body);
  const answer = answerCall(target, call);
  return call.call === 'GET counts' && answer.status === 200
    ? { status: 200, body: pageOfCounts(answer.body as Counts, call.body) }
    : answer;
}

function answerKeys(zone: Zone, from: string): PushAnswer {
  if (!/^[0-9]{1,9}$/.test(from)) return refused(400, 'EDW_ERR_POINT_REFUSED', 'the body names no place');
  return { status: 200, body: pageOfKeys(zone, Number(from)) };
}

/** What is deleted meanwhile may hide another key, which is then found the next time. */
function pageOfKeys(zone: Zone, from: number): { keys: string[]; next: number | null } {
  const all = zone.keys(from + 2000);
  const keys: string[] = [];
  let chars = 0;
  let at = from;
  for (; at < all.length && chars < ANSWER_LIMIT; at += 1) {
    const key = all[at] as string;
    if (!mayBeKey(key)) continue;
    keys.push(key);
    chars += key.length + 3;
  }
  return { keys, next: at < all.length || all.length === from + 2000 ? at : null };
}

interface Counts {
  counts: [key: string, total: number][];
  next: string | null;
}

/** In the order of their keys, so that none is left out because another came in between. */
function pageOfCounts(answer: Counts, from: string): Counts {
  const all = answer.counts.filter((it) => it[0] > from).sort((a, b) => (a[0] < b[0] ? -1 : 1));
  let chars = 0;
  let at = 0;
  for (; at < all.length && chars < ANSWER_LIMIT; at += 1) chars += (all[at] as [string, number])[0].length + 24;
  const last = all[at - 1];
  return { ...answer, counts: all.slice(0, at), next: at < all.length && last !== undefined ? last[0] : null };
}
