/**
 * What people ask for and do. Each attempt is on the record by whoever carries it out; what an attempt may do is decided
 * there too, and the role that is asked for here only keeps others from looking.
 */
import { EdgewardError, type HttpAnswer, type TlsRequest } from '@edgeward/runtime';
import * as z from 'zod';
import type { Proposals } from '../proposals/proposals.ts';
import type { Publishing } from '../publishing/index.ts';
import { type Actor, withRecord } from '../record/attempt.ts';
import type { AttemptRecord } from '../record/record.ts';
import type { Rollout } from '../rollout/index.ts';
import { type Access, actorOf, identityIn } from './access.ts';
import { listInventory } from './inventory-listing.ts';
import { proposalRoutes } from './proposal-routes.ts';
import { bodyOf, numberOf } from './request-fields.ts';
import { rolloutRoutes } from './rollout-routes.ts';
import { EVERYBODY, type Recorded, type StoreRoute } from './route.ts';

export interface PeopleRoutesOptions {
  publishing: Publishing;
  proposals: Proposals;
  record: AttemptRecord;
  rollout: Pick<Rollout, 'decide'>;
  access: Access;
  status: () => unknown;
}

const UNREAD = new Set(['EDW_ERR_STORE_REQUEST', 'EDW_ERR_HTTP_BODY']);

const acceptSchema = z.strictObject({ revision: z.int().min(1) });

export function peopleRoutes(options: PeopleRoutesOptions): StoreRoute[] {
  const { proposals, record, publishing, access } = options;

  /** What these parts refuse they have put on the record; what could not be read never came to them. */
  const recorded: Recorded = (handle) => async (request) => {
    try {
      return await handle(request, actorOf(identityIn(request.peer)));
    } catch (thrown) {
      if (thrown instanceof EdgewardError && !UNREAD.has(thrown.code)) access.recorded(thrown);
      throw thrown;
    }
  };

  return [
    {
      ...{ method: 'GET', path: '/v1/status', who: EVERYBODY, budget: 'requests', action: 'status.get' },
      handle: () => ({ json: options.status() }),
      doc: { summary: 'The store and its points', answers: { 200: 'What is published, held, refused and told.' } },
    },
    ...proposalRoutes(proposals, recorded),
    {
      ...{ method: 'GET', path: '/v1/record', who: ['auditor'], budget: 'requests', action: 'record.read' },
      handle: async (request) => {
        const after = numberOf(request, 'after', 0, Number.MAX_SAFE_INTEGER);
        const limit = Math.max(1, numberOf(request, 'limit', 1_000, 10_000));
        return { ndjson: await record.read({ after, limit }) };
      },
      doc: {
        summary: 'The record of attempts',
        query: {
          after: 'Entries after this number. Default: 0.',
          limit: 'At most so many; 1,000 without it, 10,000 at most.',
        },
        answers: { 200: 'One entry a line.' },
      },
    },
    {
      ...{ method: 'GET', path: '/v1/checkpoint', who: 'anyone', budget: 'requests', action: 'checkpoint.get' },
      handle: () => ({ json: { ...record.checkpoint(), signed: record.signedCheckpoint() } }),
      doc: { summary: 'How far the record goes', answers: { 200: '`{size, hash, signed}`' } },
    },
    {
      ...{ method: 'GET', path: '/v1/inventory', who: 'known', budget: 'requests', action: 'inventory.get' },
      handle: listInventory(publishing.workloads, () => publishing.status().inventory.changes),
      doc: {
        summary: 'The workloads in force, as they were within the last half minute',
        headers: { 'if-none-match': 'The ETag of the listing that is held.' },
        answers: { 200: 'One Workload document a line.', 304: 'Nothing changed.' },
      },
    },
    {
      ...{
        method: 'POST',
        path: '/v1/accept',
        who: ['publisher', 'approver'],
        budget: 'requests',
        action: 'inventory.accept',
      },
      handle: recorded((request, actor) => accept(options, request, actor)),
      doc: {
        summary: 'Let through a change of the inventory that is held',
        body: '`{revision}`, as the status names it.',
        answers: { 200: '`{accepted}`', 404: 'None is held.', 409: 'Another one is held.' },
      },
    },
    ...rolloutRoutes(options.rollout, recorded),
  ];
}

/** Accepting what is held is an attempt like any other. */
function accept({ publishing, record }: PeopleRoutesOptions, request: TlsRequest, actor: Actor): Promise<HttpAnswer> {
  const { revision } = bodyOf(request, acceptSchema);
  const attempt = { actor, action: 'inventory.accept', target: `inventory/${revision}`, revision };
  return withRecord(record, attempt, {
    check: () => publishing.requireHeld(revision),
    effect: async () => {
      await publishing.accept(revision);
      return { json: { accepted: revision } };
    },
  });
}
