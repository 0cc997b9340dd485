/**
 * The ledger over HTTP, for `edgeward denials` and `why`, for links and for whoever builds on it: the same in every daemon
 * that has a ledger. Reads only; each route describes itself, and `docs/denials-openapi.json` is made of that.
 */
import type { HttpRequest, HttpRoute } from '@edgeward/runtime';
import type * as z from 'zod';
import type { AnswerSchemas } from './answer-schemas.ts';
import { denialsPage } from './denials-page.ts';
import { denialsQuery } from './denials-query.ts';
import { edgesAnswer, edgesQuery } from './edges-answer.ts';
import { readQuery } from './query.ts';
import type { DenialReader } from './reader.ts';
import { summaryOf, summaryQuery } from './summary.ts';
import { type Explain, whyAnswer } from './why-answer.ts';

export interface DenialApi {
  ledger: DenialReader;
  /** Without it nobody here knows a policy. */
  explain?: Explain | undefined;
  /** Milliseconds since the epoch. */
  now?: (() => number) | undefined;
}

export interface DenialRoute {
  /** As in an HttpRoute. */
  path: string;
  summary: string;
  description: string;
  /** null: it takes none. */
  query: z.ZodType | null;
  answer: keyof AnswerSchemas;
  /** Statuses with which it may refuse, beside 401. */
  refusals: readonly number[];
  respond(request: Pick<HttpRequest, 'params' | 'query'>): Promise<unknown>;
}

export function describedRoutes({ ledger, explain = () => null, now = Date.now }: DenialApi): DenialRoute[] {
  return [
    {
      path: '/v1/denials',
      summary: 'deny events, by what is asked for',
      description:
        'A page is bounded in rows, in size and in time. Ask again with the same query and its `cursor` until that is null; with `after` for what was stored since.',
      query: denialsQuery,
      answer: 'Denials',
      refusals: [400, 503],
      respond: ({ query }) => denialsPage(ledger, readQuery(denialsQuery, query)),
    },
    {
      path: '/v1/denials/summary',
      summary: 'how many, by time, reason, rule, object, and by point or labels of the source',
      description: 'Of rollups, which outlive the events. Whole minutes or hours are counted.',
      query: summaryQuery,
      answer: 'Summary',
      refusals: [400, 503],
      respond: ({ query }) => summaryOf(ledger, readQuery(summaryQuery, query), now()),
    },
    {
      path: '/v1/edges',
      summary: 'who was ever denied where, by labels, and since when',
      description:
        'The one that was seen last stands at the end. Names and sets of labels past a bound are `other` and null.',
      query: edgesQuery,
      answer: 'Edges',
      refusals: [400, 503],
      respond: ({ query }) => edgesAnswer(ledger, readQuery(edgesQuery, query)),
    },
    {
      path: '/v1/why/:ref',
      summary: 'the denial with this reference, and how the same flow would be judged now',
      description: '`ref` is the reference that a refused client was shown, or `@1` for the event whose `id` is 1.',
      query: null,
      answer: 'Why',
      refusals: [404, 503],
      respond: ({ params }) => whyAnswer(ledger, explain, params.ref ?? ''),
    },
  ];
}

export function denialRoutes(api: DenialApi & { token: string }): HttpRoute[] {
  return describedRoutes(api).map(({ path, respond }): HttpRoute => {
    const handle: HttpRoute['handle'] = async (request) => ({ json: await respond(request) });
    return { method: 'GET', path, token: api.token, handle };
  });
}

/** Of what these routes throw. */
export const denialStatuses: Readonly<Record<string, number>> = {
  EDW_ERR_QUERY: 400,
  EDW_ERR_UNKNOWN_REFERENCE: 404,
  // Passes by itself: whoever follows goes on asking.
  EDW_ERR_LEDGER_BUSY: 503,
  EDW_ERR_LEDGER_OVERLOADED: 503,
  EDW_ERR_LEDGER_UNREACHABLE: 503,
};
