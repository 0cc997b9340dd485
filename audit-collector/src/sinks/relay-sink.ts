/**
 * Pushes deny events, labels and all, to a collector that several services share, as batches of docs/batches.md. Epoch and
 * number are those by which the ledger names an event, so the collector stores each once, whatever comes twice, and what
 * retention took before it was sent are numbers that it misses and counts. So are events that are longer than it takes: sent,
 * one would be refused for ever, and everything behind it would wait.
 */
import { type BatchSender, type BatchSent, fitting, type NumberedRecord } from '@edgeward/deny-log';
import type { EdgewardError } from '@edgeward/runtime';
import { MAX_EVENT_BYTES } from '../batches/batch-reading.ts';
import { type NamedDenial, type Pushed, type RetryCause, type Sink, type SinkFailure, sinkFailure } from './sink.ts';

export function relaySink(sender: BatchSender): Sink {
  async function send(epoch: string, records: readonly NumberedRecord[], waiting: number): Promise<void> {
    const sent = await sender.send({ epoch, records, waiting: { records: waiting, unreadBytes: 0, shed: 0 } });
    const last = records.at(-1)?.seq ?? 0;
    if (sent.state === 'acknowledged' && sent.acknowledged >= last) return;
    // What is acknowledged need not be sent again, and the rest is smaller.
    if (sent.state === 'acknowledged') return await send(epoch, after(records, sent.acknowledged), waiting);
    if (sent.state !== 'refused' || sent.status !== 413 || records.length < 2) throw failureOf(sent);
    const middle = records.length >> 1;
    await send(epoch, records.slice(0, middle), waiting + records.length - middle);
    await send(epoch, records.slice(middle), waiting);
  }

  /** A sender has no signal of its own; whoever ends a push ends it for good. */
  async function closedBy(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    signal.addEventListener('abort', sender.close, { once: true });
    try {
      await work();
    } finally {
      signal.removeEventListener('abort', sender.close);
    }
  }

  return {
    split({ denials }) {
      const parts: NamedDenial[][] = [];
      for (let rest = denials.map(recordOf); rest.length > 0; ) {
        const part = ofOneLife(fitting(rest));
        parts.push(part.map(({ denial }) => denial));
        rest = rest.slice(part.length);
      }
      return parts.map((part) => ({ denials: part, holes: [] }));
    },
    async push({ denials }, signal, waiting): Promise<Pushed> {
      const epoch = denials[0]?.name.epoch ?? '';
      const records = denials.map(recordOf).filter(isShort);
      if (records.length > 0) await closedBy(signal, () => send(epoch, records, waiting));
      const long = denials.length - records.length;
      return { sent: records.length, rejected: long === 0 ? {} : { 'too-long': long }, clamped: 0 };
    },
    beat: (signal, epoch) => closedBy(signal, () => send(epoch, [], 0)),
    close: sender.close,
  };
}

type Recorded = NumberedRecord & { denial: NamedDenial };

const recordOf = (denial: NamedDenial): Recorded => ({
  seq: denial.name.seq,
  record: JSON.stringify({ kind: 'event', event: denial.event }),
  denial,
});

/** With its number before it. */
const isShort = ({ record }: Recorded): boolean => Buffer.byteLength(record) + 32 <= MAX_EVENT_BYTES;

/** As many from the first on as have numbers of its life. */
function ofOneLife(records: readonly Recorded[]): readonly Recorded[] {
  const end = records.findIndex(({ denial }) => denial.name.epoch !== records[0]?.denial.name.epoch);
  return end < 0 ? records : records.slice(0, end);
}

const after = (records: readonly NumberedRecord[], seq: number): NumberedRecord[] =>
  records.filter((record) => record.seq > seq);

function failureOf(sent: Exclude<BatchSent, { state: 'acknowledged' }>): SinkFailure {
  const { error } = sent;
  const options = { cause: error, retryAfterMs: sent.state === 'later' ? sent.afterMs : 0 };
  return sinkFailure(causeOf(sent.state, error), `${error.message} (${error.code})`, options);
}

function causeOf(state: BatchSent['state'], { code, message }: EdgewardError): RetryCause {
  if (state === 'later') return 'busy';
  if (state === 'refused') return 'refused';
  if (code === 'EDW_ERR_BATCH_TLS' || code === 'EDW_ERR_SECRET_FILE') return 'local';
  if (code !== 'EDW_ERR_BATCH_UNREACHABLE') return 'server-error';
  return message.includes('no answer within') ? 'timeout' : 'unreachable';
}
