/**
 * What people ask for and do. Each attempt is on the record by whoever carries it out; what an attempt may do is decided
 * there too, and the role that is asked for here only keeps others from looking.
 */
import { type SignedDocument, signedDocumentOf } from '@edgeward/policy-format';
import { EdgewardError, type HttpAnswer, type TlsRequest } from '@edgeward/runtime';
import * as z from 'zod';
import type { Proposals } from '../proposals/proposals.ts';
import type { Publishing } from '../publishing/index.ts';
import { type Actor, withRecord } from '../record/attempt.ts';
import type { AttemptRecord } from '../record/record.ts';
import type { Rollout } from '../rollout/index.ts';
import { type Access, actorOf, identityIn } from './access.ts';
import { listInventory } from './inventory-listing.ts';
import { doorError } from './refusals.ts';
import { bodyOf, numberOf, versionOf } from './request-fields.ts';
import { rolloutRoutes } from './rollout-routes.ts';
import { EVERYBODY, type StoreRoute } from './route.ts';

export interface PeopleRoutesOptions {
  publishing: Publishing;
  proposals: Proposals;
  record: AttemptRecord;
  rollout: Pick<Rollout, 'decide'>;
  access: Access;
  status: () => unknown;
}

/** A bundle of 64 MiB, with every quote in it escaped. */
const BUNDLE_BYTES = 96 * 1024 * 1024;
const SIGNED_BYTES = 512 * 1024;
const NDJSON = 'application/x-ndjson; charset=utf-8';

const reason = z.string().max(1_000);
const dryRun = z.boolean().optional();
const proposalSchema = z.union([
  z.strictObject({ approval: z.unknown(), documents: z.string(), dryRun }),
  z.strictObject({ root: z.unknown(), reason, dryRun }),
]);
const signatureSchema = z.strictObject({ document: z.unknown(), reason, dryRun });
const rejectSchema = z.strictObject({ reason, dryRun });
const publishSchema = z.strictObject({ dryRun });
const acceptSchema = z.strictObject({ revision: z.int().min(1) });
const followUpSchema = z.strictObject({ reason });

export type Handle = (request: TlsRequest, actor: Actor) => Promise<HttpAnswer> | HttpAnswer;

export function peopleRoutes(options: PeopleRoutesOptions): StoreRoute[] {
  const { proposals, record, publishing, access } = options;

  /** What these parts refuse they have put on the record. */
  function recorded(handle: Handle): StoreRoute['handle'] {
    return async (request) => {
      try {
        return await handle(request, actorOf(identityIn(request.peer)));
      } catch (thrown) {
        if (
          thrown instanceof EdgewardError &&
          thrown.code !== 'EDW_ERR_STORE_REQUEST' &&
          thrown.code !== 'EDW_ERR_HTTP_BODY'
        )
          access.recorded(thrown);
        throw thrown;
      }
    };
  }

  return [
    {
      ...{ method: 'GET', path: '/v1/status', who: EVERYBODY, budget: 'requests', action: 'status.get' },
      handle: () => ({ json: options.status() }),
      doc: { summary: 'The store and its points', answers: { 200: 'What is published, held, refused and told.' } },
    },
    {
      ...{ method: 'GET', path: '/v1/proposals', who: EVERYBODY, budget: 'requests', action: 'proposal.list' },
      handle: () => ({ json: { proposals: proposals.list() } }),
      doc: { summary: 'All proposals, newest first', answers: { 200: '`{proposals}`' } },
    },
    {
      ...{ method: 'POST', path: '/v1/proposals', budget: 'requests', action: 'proposal.propose' },
      who: ['author', 'approver'],
      maxBodyBytes: BUNDLE_BYTES,
      handle: recorded((request, actor) => propose(proposals, request, actor)),
      doc: {
        summary: 'Propose a version or a trust root',
        body: '`{approval, documents, dryRun?}`, the documents one a line; or `{root, reason, dryRun?}`.',
        answers: {
          201: 'The proposal.',
          200: 'What it would be: a dry run.',
          400: 'It can not be proposed.',
          409: 'It is built on something older.',
        },
      },
    },
    {
      ...{ method: 'GET', path: '/v1/proposals/:id', who: EVERYBODY, budget: 'requests', action: 'proposal.get' },
      handle: ({ params }) => ({ json: proposals.view(params.id ?? '') }),
      doc: { summary: 'One proposal', answers: { 200: 'The proposal, with what is signed.', 404: 'There is none.' } },
    },
    {
      ...{
        method: 'GET',
        path: '/v1/proposals/:id/documents',
        who: EVERYBODY,
        budget: 'requests',
        action: 'proposal.get',
      },
      handle: async ({ params }) => ({ bytes: await proposals.documents(params.id ?? ''), contentType: NDJSON }),
      doc: {
        summary: 'The documents of a proposal',
        answers: { 200: 'One canonical document a line.', 404: 'There is none.' },
      },
    },
    {
      ...{
        method: 'POST',
        path: '/v1/proposals/:id/signatures',
        who: ['approver'],
        budget: 'requests',
        action: 'proposal.approve',
      },
      maxBodyBytes: SIGNED_BYTES,
      handle: recorded(async (request, actor) => {
        const { document, ...rest } = bodyOf(request, signatureSchema);
        const submission = { document: signedOf(document), ...defined(rest) };
        return { json: await proposals.approve(actor, request.params.id ?? '', submission) };
      }),
      doc: {
        summary: 'Approve a proposal',
        body: "`{document, reason, dryRun?}`: the proposal's payload with the approver's own signature.",
        answers: {
          200: 'The proposal.',
          400: 'The signature is not good.',
          404: 'There is none.',
          409: 'It is closed.',
        },
      },
    },
    {
      ...{
        method: 'POST',
        path: '/v1/proposals/:id/reject',
        who: ['approver', 'author'],
        budget: 'requests',
        action: 'proposal.reject',
      },
      handle: recorded(async (request, actor) => {
        const submission = defined(bodyOf(request, rejectSchema));
        return { json: await proposals.reject(actor, request.params.id ?? '', submission) };
      }),
      doc: {
        summary: 'Reject a proposal',
        body: '`{reason, dryRun?}`',
        answers: { 200: 'The proposal.', 404: 'There is none.', 409: 'It is closed.' },
      },
    },
    {
      ...{ method: 'POST', path: '/v1/proposals/:id/publish', budget: 'requests', action: 'proposal.publish' },
      who: ['publisher', 'approver'],
      handle: recorded(async (request, actor) => {
        const submission = defined(bodyOf(request, publishSchema));
        const published = await proposals.publish(actor, request.params.id ?? '', submission);
        if (published.kind === 'root') return { json: { kind: 'root', version: published.root.version } };
        return { json: { kind: 'policy', version: published.version.version } };
      }),
      doc: {
        summary: 'Put an approved proposal into force',
        body: '`{dryRun?}`',
        answers: {
          200: '`{kind, version}`',
          400: 'It may not be published.',
          404: 'There is none.',
          409: 'It is closed.',
        },
      },
    },
    {
      ...{ method: 'GET', path: '/v1/versions/:version', who: EVERYBODY, budget: 'requests', action: 'version.get' },
      handle: (request) => ({ json: versionIn(proposals, request) }),
      doc: {
        summary: 'A published version, by number or as `newest`',
        answers: { 200: 'The version.', 404: 'There is none.' },
      },
    },
    {
      ...{
        method: 'GET',
        path: '/v1/versions/:version/documents',
        who: EVERYBODY,
        budget: 'requests',
        action: 'version.get',
      },
      handle: async (request) => {
        const { bytes, digest } = await proposals.bundle(versionIn(proposals, request).version);
        return { bytes, contentType: NDJSON, etag: digest };
      },
      doc: {
        summary: 'The documents of a version',
        answers: { 200: 'One canonical document a line.', 304: 'They are held.', 404: 'There is none.' },
      },
    },
    {
      ...{ method: 'POST', path: '/v1/versions/:version/follow-up', budget: 'requests', action: 'version.follow-up' },
      who: ['approver'],
      handle: recorded(async (request, actor) => {
        await proposals.closeFollowUp(actor, versionOf(request, 'version'), bodyOf(request, followUpSchema));
        return { status: 204, empty: true };
      }),
      doc: {
        summary: 'Say what became of a break-glass version',
        body: '`{reason}`',
        answers: { 204: 'It is followed up.', 404: 'None is open for this version.' },
      },
    },
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

async function propose(proposals: Proposals, request: TlsRequest, actor: Actor): Promise<HttpAnswer> {
  const body = bodyOf(request, proposalSchema);
  const status = body.dryRun === true ? 200 : 201;
  if ('root' in body) {
    const submission = { root: signedOf(body.root), reason: body.reason, ...defined({ dryRun: body.dryRun }) };
    return { status, json: await proposals.proposeRoot(actor, submission) };
  }
  const bundle = Buffer.from(body.documents);
  const submission = { approval: signedOf(body.approval), bundle, ...defined({ dryRun: body.dryRun }) };
  return { status, json: await proposals.propose(actor, submission) };
}

function versionIn(proposals: Proposals, request: TlsRequest): ReturnType<Proposals['version']> {
  if (request.params.version !== 'newest') return proposals.version(versionOf(request, 'version'));
  return proposals.current() ?? proposals.version(1);
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

/** Throws EDW_ERR_STORE_REQUEST. */
function signedOf(value: unknown): SignedDocument {
  try {
    return signedDocumentOf(value);
  } catch (cause) {
    throw doorError(
      'EDW_ERR_STORE_REQUEST',
      `the body: ${cause instanceof Error ? cause.message : 'it is not signed'}`,
    );
  }
}

function defined<T extends { dryRun?: boolean | undefined }>({
  dryRun,
  ...rest
}: T): Omit<T, 'dryRun'> & { dryRun?: boolean } {
  return dryRun === undefined ? rest : { ...rest, dryRun };
}
