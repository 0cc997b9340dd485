/** A transaction and its commands, and how iControl REST shows them. */
import type { TmosVersion } from '../simulator.ts';
import type { Json } from './answer.ts';
import { linkTo } from './links.ts';
import type { PlannedWrite } from './planned-write.ts';

export interface Command {
  id: number;
  evalOrder: number;
  method: string;
  uri: string;
  body: unknown;
  write: PlannedWrite;
}

export interface Transaction {
  id: number;
  endsMs: number;
  state: 'STARTED' | 'VALIDATING' | 'COMPLETED' | 'FAILED';
  validateOnly: boolean;
  asyncExecution: boolean;
  timeoutSeconds: number;
  failureReason: string;
  lastCommand: number;
  commands: Command[];
}

export function transactionsView(items: Json[], version: TmosVersion): Json {
  const frame = { kind: 'tm:transactioncollectionstate', selfLink: linkTo('tm/transaction', version) };
  return items.length === 0 ? frame : { ...frame, items };
}

export function transactionView(transaction: Transaction, version: TmosVersion): Json {
  return {
    transId: transaction.id,
    state: transaction.state,
    timeoutSeconds: transaction.timeoutSeconds,
    asyncExecution: transaction.asyncExecution,
    validateOnly: transaction.validateOnly,
    executionTimeout: 300,
    executionTime: 0,
    failureReason: transaction.failureReason,
    kind: 'tm:transactionstate',
    selfLink: linkTo(`tm/transaction/${transaction.id}`, version),
  };
}

export function commandView(transaction: Transaction, command: Command, version: TmosVersion): Json {
  return {
    method: command.method,
    uri: command.uri,
    body: command.body,
    evalOrder: command.evalOrder,
    commandId: command.id,
    kind: 'tm:transaction:commandsstate',
    selfLink: linkTo(`tm/transaction/${transaction.id}/commands/${command.id}`, version),
  };
}
