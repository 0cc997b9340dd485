/** The other side of `threaded-ledger`: one ledger file, asked and answered in order until it is told to close. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import type { DatabaseOptions } from './database.ts';
import { type LedgerFile, openLedgerFile } from './ledger-file.ts';
import { answerOf } from './ledger-host.ts';
import type { Answer, Question, ToldError } from './threaded-ledger.ts';

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
    const result = question.method === 'close' ? file.close() : answerOf(file, question);
    return { result, lost: file.reports().map(told) };
  } catch (thrown) {
    return { error: told(thrown), lost: file.reports().map(told) };
  }
}

/** Errors lose their kind between threads. */
function told(thrown: unknown): ToldError {
  const { code, mend } =
    thrown instanceof EdgewardError ? thrown : { code: 'EDW_ERR_INTERNAL', mend: 'This is a bug: please report it.' };
  return { code, mend, message: messageOf(thrown) };
}
