/**
 * Transactions: writes that wait, invisible, until one PATCH applies all of them or none. One lives 120 seconds and is
 * then gone as if it had never been. What a command asks for is judged at the commit, in order.
 */
import { type Clock, messageOf } from '@edgeward/runtime';
import type { BoxConfig, Change, ConfigObject } from '../config/box-config.ts';
import { BoxError } from '../config/box-config.ts';
import type { TmosVersion } from '../simulator.ts';
import { type Answer, empty, json, refuseBox } from './answer.ts';
import { bodyOf, type Call } from './call.ts';
import { linkTo } from './links.ts';
import type { PlannedWrite } from './planned-write.ts';
import { type Command, commandView, type Transaction, transactionsView, transactionView } from './transaction-view.ts';

export interface Transactions {
  /** A call that carries the header: kept for later, answered with the command that it has become. */
  add(id: string, call: Call, write: PlannedWrite): Answer;
  /** A call below /mgmt/tm/transaction. */
  answer(call: Call): Answer;
  clear(): void;
}

const timeoutS = 120;
const maxTransactions = 100;
const maxCommands = 10_000;

export function createTransactions(options: { config: BoxConfig; clock: Clock; version: TmosVersion }): Transactions {
  const { config, clock, version } = options;
  const transactions = new Map<string, Transaction>();
  let lastId = 0;

  function sweep(): void {
    for (const [key, other] of transactions) if (other.endsMs <= clock.now()) transactions.delete(key);
  }

  function find(id: string): Transaction {
    sweep();
    return transactions.get(id) ?? refuseBox(404, `Found invalid transaction id ${id}. transaction not found`, 1);
  }

  function create(call: Call): Answer {
    sweep();
    if (transactions.size >= maxTransactions) refuseBox(503, 'There are too many open transactions.', 1);
    const body = bodyOf(call);
    lastId = Math.max(lastId + 1, clock.now() * 1000);
    const asked = Number(body.timeoutSeconds ?? timeoutS);
    const seconds = asked > 0 && asked <= timeoutS * 10 ? asked : timeoutS;
    const transaction: Transaction = {
      id: lastId,
      endsMs: clock.now() + seconds * 1000,
      state: 'STARTED',
      validateOnly: body.validateOnly === true,
      asyncExecution: body.asyncExecution === true,
      timeoutSeconds: seconds,
      failureReason: '',
      lastCommand: 0,
      commands: [],
    };
    transactions.set(String(transaction.id), transaction);
    return json(transactionView(transaction, version));
  }

  function patch(call: Call, transaction: Transaction): Answer {
    const body = bodyOf(call);
    if (typeof body.validateOnly === 'boolean') transaction.validateOnly = body.validateOnly;
    if (typeof body.asyncExecution === 'boolean') transaction.asyncExecution = body.asyncExecution;
    if (body.state === undefined) return json(transactionView(transaction, version));
    if (body.state !== 'VALIDATING') refuseBox(400, `invalid property value "state":"${String(body.state)}"`, 1);
    if (transaction.state !== 'STARTED') {
      refuseBox(400, `Found invalid state ${transaction.state} of transaction ${transaction.id}.`, 1);
    }
    if (transaction.commands.length === 0) refuseBox(404, 'there is no command to commit in the transaction.', 1);
    return commit(transaction);
  }

  function commit(transaction: Transaction): Answer {
    if (!transaction.asyncExecution) {
      run(transaction);
      return json(transactionView(transaction, version));
    }
    transaction.state = 'VALIDATING';
    const answer = json(transactionView(transaction, version));
    clock.after(0, () => {
      try {
        run(transaction);
      } catch {
        // The state tells whoever asks.
      }
    });
    return answer;
  }

  function run(transaction: Transaction): void {
    try {
      applyAll(config, transaction);
      transaction.state = 'COMPLETED';
    } catch (thrown) {
      transaction.state = 'FAILED';
      transaction.failureReason = messageOf(thrown);
      if (!(thrown instanceof BoxError)) throw thrown;
      refuseBox(thrown.status, `transaction failed:${thrown.message}`, 2);
    }
  }

  return {
    clear: () => transactions.clear(),
    add(id, call, write) {
      const transaction = find(id);
      if (transaction.state !== 'STARTED')
        refuseBox(400, `Found invalid state ${transaction.state} of transaction ${id}.`, 1);
      if (transaction.commands.length >= maxCommands)
        refuseBox(400, 'There are too many commands in the transaction.', 1);
      transaction.lastCommand += 1;
      const command: Command = {
        id: transaction.lastCommand,
        evalOrder: transaction.commands.length + 1,
        method: call.method,
        uri: `https://localhost${call.target}`,
        body: call.body.length === 0 ? {} : bodyOf(call),
        write,
      };
      transaction.commands.push(command);
      return json(commandView(transaction, command, version));
    },
    answer(call) {
      const [, , id, below, number] = call.segments;
      if (id === undefined) {
        if (call.method === 'POST') return create(call);
        if (call.method !== 'GET') return unsupported();
        return json(
          transactionsView(
            [...transactions.values()].map((each) => transactionView(each, version)),
            version,
          ),
        );
      }
      const transaction = find(id);
      if (below === undefined) return answerOne(call, transaction);
      if (below !== 'commands') return refuseBox(404, `Object not found - ${call.target}`, 1);
      return answerCommands(call, transaction, number, version);
    },
  };

  function answerOne(call: Call, transaction: Transaction): Answer {
    if (call.method === 'GET') return json(transactionView(transaction, version));
    if (call.method === 'PATCH') return patch(call, transaction);
    if (call.method !== 'DELETE') return unsupported();
    transactions.delete(String(transaction.id));
    return empty;
  }
}

function applyAll(config: BoxConfig, transaction: Transaction): (ConfigObject | null)[] {
  const changes: Change[] = [];
  for (const { write } of transaction.commands.toSorted((one, other) => one.evalOrder - other.evalOrder)) {
    changes.push(...write.changes(changes));
  }
  return config.apply(changes, { validateOnly: transaction.validateOnly });
}

function answerCommands(
  call: Call,
  transaction: Transaction,
  number: string | undefined,
  version: TmosVersion,
): Answer {
  if (number === undefined) {
    if (call.method !== 'GET') return unsupported();
    const items = transaction.commands.map((command) => commandView(transaction, command, version));
    const kind = 'tm:transaction:commandscollectionstate';
    const selfLink = linkTo(`tm/transaction/${transaction.id}/commands`, version);
    return json(items.length === 0 ? { kind, selfLink } : { kind, selfLink, items });
  }
  const command = transaction.commands.find((other) => String(other.id) === number);
  if (command === undefined) return refuseBox(404, `Found invalid command id ${number}.`, 1);
  if (call.method === 'DELETE') {
    transaction.commands = transaction.commands.filter((other) => other !== command);
    return empty;
  }
  if (call.method === 'PATCH') {
    const order = Number(bodyOf(call).evalOrder);
    if (Number.isSafeInteger(order)) command.evalOrder = order;
  } else if (call.method !== 'GET') return unsupported();
  return json(commandView(transaction, command, version));
}

function unsupported(): never {
  return refuseBox(405, 'Operation is not supported on component /transaction.', 1);
}
