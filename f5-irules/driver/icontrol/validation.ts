/**
 * Asks a box whether it would take a change, by a transaction that is only validated. Leaves nothing behind: the
 * transaction is deleted, and where that fails it ends by itself after two minutes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '@edgeward/runtime';
import type { Call } from './call.ts';
import type { Caller } from './caller.ts';
import { cleanText, failure } from './failures.ts';
import type { Json } from './icontrol.ts';
import { checkedPath } from './object-path.ts';

export interface Change {
  method: 'PATCH' | 'POST';
  path: string;
  body: Json;
}

interface ValidationOptions {
  logger: Logger;
  pauseMs: number;
}

const LOOKS = 6;

export async function validateChange(caller: Caller, change: Change, options: ValidationOptions): Promise<void> {
  checkedPath(change.path);
  const { transId } = await done(caller, { method: 'POST', path: 'tm/transaction', body: {} });
  const isId = (typeof transId === 'number' && Number.isSafeInteger(transId)) || /^\d{1,20}$/.test(String(transId));
  if (!isId) throw failure('EDW_ERR_BIGIP_ANSWER', `opening a transaction at ${change.path}: it has no transId`);
  const path = `tm/transaction/${String(transId)}`;
  try {
    await done(caller, { ...change, headers: { 'x-f5-rest-coordination-id': String(transId) } });
    // Without the header: with it, the commit itself would become a command of the transaction.
    const body = { state: 'VALIDATING', validateOnly: true };
    await outcome(caller, change, path, await done(caller, { method: 'PATCH', path, body }), options);
  } finally {
    await discard(caller, path, options);
  }
}

/** A box may answer before it is through. */
async function outcome(
  caller: Caller,
  change: Change,
  path: string,
  first: Json,
  options: ValidationOptions,
): Promise<void> {
  let transaction = first;
  for (let looks = 0; looks < LOOKS && isUnderWay(transaction); looks += 1) {
    await sleep(options.pauseMs * 2 ** looks);
    transaction = await done(caller, { method: 'GET', path });
  }
  const { state, failureReason } = transaction;
  if (state === 'COMPLETED') return;
  const doing = `validating ${change.method} ${change.path}`;
  const reason = typeof failureReason === 'string' && failureReason !== '' ? failureReason : `it is ${String(state)}`;
  if (state === 'FAILED') throw failure('EDW_ERR_BIGIP_REFUSED', `${doing}: ${cleanText(reason)}`);
  throw failure('EDW_ERR_BIGIP_ANSWER', `${doing}: the transaction came to no end: ${cleanText(reason)}`);
}

function isUnderWay({ state }: Json): boolean {
  return state === 'VALIDATING' || state === 'EXECUTING' || state === 'UNCOMMITTED';
}

async function done(caller: Caller, call: Call): Promise<Json> {
  const verdict = await caller.call(call);
  if (verdict.state === 'done') return verdict.body;
  if (verdict.state === 'failed') throw verdict.error;
  throw failure('EDW_ERR_BIGIP_REFUSED', `${call.method} ${call.path} in a transaction: ${verdict.text}`);
}

async function discard(caller: Caller, path: string, { logger }: ValidationOptions): Promise<void> {
  const verdict = await caller.call({ method: 'DELETE', path });
  if (verdict.state !== 'failed') return;
  const { code, message } = verdict.error;
  logger.debug({ event: 'bigip_transaction_left', code, message }, 'it ends by itself');
}
