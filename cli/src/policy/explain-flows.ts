/**
 * `edgeward explain DIR --flows FILE`: a line in, a line out, in the same order. One piece of the file is in memory at a
 * time, and the next is read when the answers to the last have been taken.
 */
import { decide, pointViews, type Resolution } from '@edgeward/policy';
import { sha256Hex } from '@edgeward/runtime';
import type { Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { withProgress } from '../frame/progress.ts';
import { counted, jsonText } from '../frame/terminal-text.ts';
import { readFlow } from './flow-document.ts';
import { createFlowLines, type FlowLine } from './flow-lines.ts';
import { piecesOf } from './flow-pieces.ts';

interface Tally {
  lines: number;
  unread: number;
}

export async function explainFlows(context: Context, resolution: Resolution, file: string): Promise<ExitCode> {
  const tally: Tally = { lines: 0, unread: 0 };
  const answer = answers(resolution, tally);
  const says = (): string => `${tally.lines.toLocaleString('en')} flows judged`;
  await withProgress(context.err, says, async () => {
    const lines = createFlowLines();
    for await (const piece of piecesOf(context, file)) {
      await context.out.write(answer(lines.push(piece)));
      if (context.out.gone.aborted) return;
    }
    await context.out.write(answer(lines.end()));
  });
  if (tally.unread === 0) return 0;
  await context.err.write(
    `${counted(tally.unread, 'line')} of ${tally.lines.toLocaleString('en')} could not be read\n`,
  );
  return 3;
}

/** Verdicts only: to say who both ends are takes a search through the inventory, which a million lines can't have. */
function answers(resolution: Resolution, tally: Tally): (lines: FlowLine[]) => string {
  const views = pointViews(resolution, sha256Hex);
  const answer = (line: FlowLine): string => {
    tally.lines += 1;
    const read = readFlow(line);
    if ('error' in read) {
      tally.unread += 1;
      return `${jsonText(read)}\n`;
    }
    const view = views.forObject(read.flow.to);
    const { verdict, reason, rule, revision } = decide(view, read.flow);
    const mode = view.object(read.flow.to)?.mode ?? null;
    return `${JSON.stringify({ verdict, reason, rule, mode, revision })}\n`;
  };
  return (lines) => lines.map(answer).join('');
}
