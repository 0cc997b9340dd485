/** The other side of `threaded-ledger`: one ledger file, asked and answered in order until it is told to close. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import type { DatabaseOptions } from './database.ts';
import { passedAnswer, received } from './event-passing.ts';
import { type LedgerFile, openLedgerFile } from './ledger-file.ts';
import { type Asking, answerOf } from './ledger-host.ts';
import type { Answer, Question, Storing, ToldError } from './threaded-ledger.ts';

if (parentPort !== null) serve(parentPort);

function serve(port: MessagePort): void {
  const say = (answer: Answer): void => port.postMessage(answer);
  try {
    const file = openLedgerFile(workerData as DatabaseOptions);
    port.on('message', (question: Question) => {
      say(answerTo(question, file));
      if (question.method === 'close') port.close();
    });
    say({ result: null, lost: [] });
  } catch (thrown) {
    say({ error: told(thrown), lost: [] });
  }
}

function answerTo(question: Question, file: LedgerFile): Answer {
  try {
    return { result: resultOf(question, file), lost: file.reports().map(told) };
  } catch (thrown) {
    return { error: told(thrown), lost: file.reports().map(told) };
  }
}

function resultOf(question: Question, file: LedgerFile): unknown {
  if (question.method === 'close') return file.close();
  if (!('passed' in question)) return answerOf(file, question);
  const { batch, events } = received(question.passed);
  return passedAnswer(answerOf(file, { method: question.method, args: [batch] } as Asking<Storing>), events);
}

/** Errors lose their kind between threads. */
function told(thrown: unknown): ToldError {
  const { code, mend } =
    thrown instanceof EdgewardError ? thrown : { code: 'EDW_ERR_INTERNAL', mend: 'This is a bug: please report it.' };
  return { code, mend, message: messageOf(thrown) };
}
