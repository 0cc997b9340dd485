/** Which denials are asked for: the options of `edgeward denials` as the query of `GET /v1/denials`. */
import type { Context, Option } from '../frame/command.ts';
import { parseDurationMs } from '../frame/duration.ts';
import { usageError } from '../frame/usage-error.ts';
import type { Query } from './service-client.ts';

export const filterOptions: Record<string, Option> = {
  since: { type: 'string', value: 'TIME', says: 'All of the last 90s, 10m, 2h or 1d, or since 2026-11-23T09:30:00Z.' },
  until: { type: 'string', value: 'TIME', says: 'Only those before that; written as --since is.' },
  point: { type: 'string', value: 'P', says: 'Only those of this point.' },
  object: { type: 'string', value: 'O', says: 'Only those of this protected object.' },
  source: { type: 'string', value: 'IP', says: 'Only those from this address, or network as in 10.30.0.0/16.' },
  label: {
    type: 'string',
    value: 'LABEL',
    multiple: true,
    says: 'Only those with this label of an end, as in source.env=prod or object.app=shop; may be repeated.',
  },
  rule: { type: 'string', value: 'ID', says: 'Only those that this rule denied; empty: those that no rule decided.' },
  reason: { type: 'string', value: 'WHY', says: 'Only those for this reason, as in unknown-source.' },
  verdict: { type: 'string', value: 'WORD', says: 'Only deny, or only would-deny.' },
  ref: { type: 'string', value: 'REF', says: 'Only that with this reference.' },
};

/** Of these nobody knows anything where there is no record: what was counted alone is told without them. */
const ofRecords = ['object', 'source', 'label', 'rule', 'reason', 'verdict', 'ref'] as const;

export const filtersRecords = (context: Context): boolean => ofRecords.some((name) => context.texts(name).length > 0);

/** Throws EDW_ERR_USAGE. What only the service can tell is wrong, it says. */
export function filtersOf(context: Context): Query {
  const { text, texts } = context;
  return {
    sinceMs: momentOption(context, 'since'),
    untilMs: momentOption(context, 'until'),
    point: text('point'),
    object: text('object'),
    source: text('source'),
    label: texts('label'),
    rule: text('rule'),
    reason: text('reason'),
    verdict: text('verdict'),
    ref: text('ref'),
  };
}

/** Milliseconds since the epoch: of a length of time until now, or of an instant. */
function momentOption({ text, now }: Context, name: string): number | undefined {
  const given = text(name);
  if (given === undefined) return undefined;
  const agoMs = parseDurationMs(given);
  if (agoMs !== null) return now() - agoMs;
  const isInstant = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?Z$/.test(given);
  const ms = isInstant ? Date.parse(given) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw usageError(`--${name}: '${given}' is no time`, 'denials', 'Write 90s, 10m, 2h, 1d or 2026-11-23T09:30:00Z.');
}
