/**
 * What people propose, approve and publish, and what came of it. Each attempt is on the record by whoever carries it out, and
 * what an attempt may do is decided there too.
 */
import { type SignedDocument, signedDocumentOf } from '@edgeward/policy-format';
import { type HttpAnswer, messageOf, type TlsRequest } from '@edgeward/runtime';
import * as z from 'zod';
import type { Proposals } from '../proposals/proposals.ts';
import type { Actor } from '../record/attempt.ts';
import { doorError } from './refusals.ts';
import { bodyOf, versionOf } from './request-fields.ts';
import { EVERYBODY, type Recorded, type StoreRoute } from './route.ts';

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
const publishSchema = z.strictObject({ dryRun, onTopOf: z.int().min(1).optional() });
const followUpSchema = z.strictObject({ reason });

export function proposalRoutes(proposals: Proposals, recorded: Recorded): StoreRoute[] {
  return [
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
          409: 'It is built on something older, or too much is open.',
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
        summary: 'The documents of a proposal that is open or was published',
        answers: {
          200: 'One canonical document a line.',
          404: 'There is none.',
          409: 'It is closed: they are not kept.',
        },
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
        const { onTopOf, ...rest } = bodyOf(request, publishSchema);
        const submission = { ...defined(rest), ...(onTopOf === undefined ? {} : { onTopOf }) };
        const published = await proposals.publish(actor, request.params.id ?? '', submission);
        if (published.kind === 'root') return { json: { kind: 'root', version: published.root.version } };
        return { json: { kind: 'policy', version: published.version.version } };
      }),
      doc: {
        summary: 'Put an approved proposal into force',
        body: '`{dryRun?, onTopOf?}`; `onTopOf` with break-glass: the version that it is published on top of, though the roll-out of that one is not done.',
        answers: {
          200: '`{kind, version}`',
          400: 'It may not be published.',
          404: 'There is none.',
          409: 'It is closed; or it is break-glass, and the roll-out of what it stands on is not done.',
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

/** Throws EDW_ERR_STORE_REQUEST. */
function signedOf(value: unknown): SignedDocument {
  try {
    return signedDocumentOf(value);
  } catch (cause) {
    throw doorError('EDW_ERR_STORE_REQUEST', `the body: ${messageOf(cause)}`);
  }
}

function defined<T extends { dryRun?: boolean | undefined }>({
  dryRun,
  ...rest
}: T): Omit<T, 'dryRun'> & { dryRun?: boolean } {
  return dryRun === undefined ? rest : { ...rest, dryRun };
}
