/** Where a ledger file is worked on: here, or in a thread of its own. Both answer in the order in which they were asked. */
import type { EdgewardError } from '@edgeward/runtime';
import type { DatabaseOptions } from './database.ts';
import { type LedgerFile, openLedgerFile } from './ledger-file.ts';

export type Asked = Exclude<keyof LedgerFile, 'reports' | 'close'>;

/** A method of a ledger file together with what it is called with. */
export type Asking<Method extends Asked = Asked> = {
  [Each in Method]: { method: Each; args: Parameters<LedgerFile[Each]> };
}[Method];
type Answers = { [Each in Asked]: (...args: Parameters<LedgerFile[Each]>) => ReturnType<LedgerFile[Each]> };

export interface LedgerHost {
  /** Rejects with EDW_ERR_LEDGER_…. */
  ask<Method extends Asked>(
    method: Method,
    ...args: Parameters<LedgerFile[Method]>
  ): Promise<ReturnType<LedgerFile[Method]>>;
  /** After everything that was asked before. */
  close(): Promise<void>;
}

/** What was lost of a day, as `LedgerFile` reports it. */
export type ToldLosses = (lost: readonly EdgewardError[]) => void;

/** Whoever asks waits, and everybody else in this thread. */
export async function ledgerHere(options: DatabaseOptions, told: ToldLosses): Promise<LedgerHost> {
  const file = openLedgerFile(options);
  return {
    async ask(method, ...args) {
      try {
        return answerOf(file, { method, args });
      } finally {
        told(file.reports());
      }
    },
    close: async () => file.close(),
  };
}

export function answerOf<Method extends Asked>(
  file: Answers,
  { method, args }: Asking<Method>,
): ReturnType<LedgerFile[Method]> {
  return file[method](...args);
}
