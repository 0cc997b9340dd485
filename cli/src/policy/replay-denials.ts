/** The denials of the ledger, page by page, as recorded flows. */
import type { Flow } from '@edgeward/policy';
import type { Context } from '../frame/command.ts';
import { durationOption } from '../frame/option-values.ts';
import { type Denial, denialsAnswer } from '../service/service-answers.ts';
import { openService } from '../service/service-client.ts';
import { type ReplayInput, unreadable } from './replay-input.ts';

const defaultSinceMs = 86_400_000;
const pageLimit = 1_000;

export async function replayDenials(context: Context, input: ReplayInput): Promise<void> {
  const sinceMs = context.now() - (durationOption(context, 'since', 'replay') ?? defaultSinceMs);
  const service = await openService(context, 'replay');
  // A denial of now would lead to the next: the answer ends with what was there when it was asked for.
  const untilMs = context.now();
  let cursor: string | undefined;
  do {
    const query = { sinceMs, untilMs, limit: pageLimit, cursor };
    const { value } = await service.ask({ path: '/v1/denials', query, answer: denialsAnswer });
    for (const denial of value.denials) takeDenial(input, denial, untilMs);
    // A page may be short, and not the last: a search is bounded in time.
    cursor = value.cursor ?? undefined;
  } while (cursor !== undefined);
}

function takeDenial(input: ReplayInput, denial: Denial, untilMs: number): void {
  if (Date.parse(denial.time) > untilMs) return;
  input.read += 1;
  if (denial.truncated === true) {
    // What was cut off may have been what was wrong with it: half a request is not judged.
    unreadable(input, {
      code: 'EDW_ERR_FLOW',
      message: `the request of denial ${denial.id ?? '?'} was not kept whole`,
    });
    return;
  }
  const { reason, rule, count } = denial;
  input.replay.add(flowOf(denial), { verdict: 'deny', reason, rule }, count);
}

/** The source is the one that was judged, also behind a proxy; nothing is forwarded any more. */
function flowOf({ source, object, port, method, path, host }: Denial): Flow {
  const flow: Flow = { from: source, to: object, port };
  if (method !== null) flow.method = method;
  if (path !== null) flow.path = path;
  if (host !== null) flow.host = host;
  return flow;
}
