/**
 * A ledger file in a thread of its own: nobody here waits while it writes or searches. It is asked one thing at a time and
 * the rest waits here, so that no batch is copied before its turn; whoever stores waits for the answer, and holds up whom it
 * reads from. How many wait is bounded. A thread that ends by itself fails what was asked of it, and the next one who asks has a new one.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import type { DatabaseOptions } from './database.ts';
import { type BatchToStore, type PassedBatch, passed, receivedAnswer } from './event-passing.ts';
import type { LedgerFile } from './ledger-file.ts';
import type { Asked, Asking, LedgerHost, ToldLosses } from './ledger-host.ts';

/** `passed`: a batch to store, whose events are rows. */
export type Question = Asking | { method: 'close' } | { method: Storing; passed: PassedBatch };

/** These bring many events, and get them back. */
export type Storing = (typeof storing)[number];
const storing = ['store', 'storeNumbered', 'storeSpooled'] as const;
const isStoring = (method: Asked): method is Storing => storing.some((each) => each === method);

export type Answer = { lost: ToldError[] } & ({ result: unknown } | { error: ToldError });

export interface ToldError {
  code: string;
  message: string;
  mend: string;
}

/** From source as well as built. Flags of the process, such as its conditions, hold for its threads too. */
const THREAD = new URL(`./ledger-thread${extname(import.meta.url)}`, import.meta.url);

/** Opened when it resolves; rejects with EDW_ERR_LEDGER_…. */
export async function ledgerInThread(options: DatabaseOptions, name: string, told: ToldLosses): Promise<LedgerHost> {
  const heard = (answer: Answer): unknown => {
    told(answer.lost.map(errorOf));
    if ('error' in answer) throw errorOf(answer.error);
    return answer.result;
  };
  const open = async (): Promise<LedgerThread> => {
    const started = startThread(options, name);
    heard(await started.first);
    return started;
  };
  let thread = await open();
  let last: Promise<unknown> = Promise.resolve();
  let isClosed = false;
  let waiting = 0;

  /** One after the other, whatever became of the one before. */
  function inTurn<Result>(run: () => Promise<Result>): Promise<Result> {
    waiting += 1;
    const result = last.then(run).finally(() => {
      waiting -= 1;
    });
    last = result.catch(() => {});
    return result;
  }
  async function askedOf(method: Asked, args: unknown[]): Promise<unknown> {
    if (!isStoring(method)) return heard(await thread.ask({ method, args } as Asking));
    const { message, events } = passed(args[0] as BatchToStore);
    return receivedAnswer(heard(await thread.ask({ method, passed: message })), events);
  }
  return {
    async ask(method, ...args) {
      if (isClosed) throw closed(name);
      if (waiting >= mostWaiting) throw overloaded(name, waiting);
      return inTurn(async () => {
        if (thread.hasEnded()) thread = await open();
        return (await askedOf(method, args)) as ReturnType<LedgerFile[typeof method]>;
      });
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      await inTurn(async () => {
        if (!thread.hasEnded()) await thread.ask({ method: 'close' });
      });
    },
  };
}

/** Everybody who stores has one batch on its way: more than this are not as many as there are points. */
const mostWaiting = 256;

interface LedgerThread {
  /** What it says after it was opened. */
  first: Promise<Answer>;
  /** Asked nothing else meanwhile. Rejects when the thread ends over it. */
  ask(question: Question): Promise<Answer>;
  hasEnded(): boolean;
}

function startThread(options: DatabaseOptions, name: string): LedgerThread {
  const worker = new Worker(THREAD, { name, workerData: options });
  let hasEnded = false;
  let failure: unknown = null;
  worker.on('error', (thrown) => {
    failure = thrown;
  });
  worker.on('exit', () => {
    hasEnded = true;
  });
  /** While nobody waits for it, it keeps no process alive. */
  const answer = (): Promise<Answer> =>
    new Promise((settle, fail) => {
      const over = (): void => {
        worker.off('message', onMessage).off('exit', onExit);
        worker.unref();
      };
      const onMessage = (message: Answer): void => {
        over();
        settle(message);
      };
      const onExit = (): void => {
        over();
        fail(ended(name, failure));
      };
      worker.ref();
      worker.on('message', onMessage).on('exit', onExit);
    });
  return {
    first: answer(),
    hasEnded: () => hasEnded,
    ask(question) {
      const answered = answer();
      worker.postMessage(question);
      return answered;
    },
  };
}

const errorOf = ({ code, message, mend }: ToldError): EdgewardError => new EdgewardError(code, message, { mend });

const closed = (name: string): EdgewardError =>
  new EdgewardError('EDW_ERR_LEDGER_WRITE', `asking the ${name}: it was closed`, {
    mend: 'Nothing to do: the service is ending.',
  });

const overloaded = (name: string, waiting: number): EdgewardError =>
  new EdgewardError('EDW_ERR_LEDGER_OVERLOADED', `asking the ${name}: ${waiting} others wait for it`, {
    mend: 'Nothing is lost: denials wait where they come from. If it stays so, look for a slow disk.',
  });

const ended = (name: string, cause: unknown): EdgewardError =>
  new EdgewardError('EDW_ERR_LEDGER_WRITE', `the thread of the ${name} ended: ${messageOf(cause)}`, {
    cause,
    mend: 'It is started again by itself. If it ends again and again, look at the memory of this machine.',
  });
