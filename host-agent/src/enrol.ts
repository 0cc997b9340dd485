/**
 * How a host gets its identity: a key made here, and a one-time secret that a person carried over. The secret goes to nobody but
 * the service whose authority the same person carried with it: the authority is fetched first, held to its fingerprint, and the
 * secret is sent over a second connection that trusts nothing else.
 */

import { X509Certificate } from 'node:crypto';
import { mkdtemp, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { EdgewardError, makeFolder, stateWriteError } from '@edgeward/runtime';
import {
  type EnrolmentRequest,
  enrolmentAnswerSchema,
  enrolmentStatement,
  type Invite,
  MAX_ENROLMENT_BYTES,
  parseInvite,
  renewalStatement,
} from '../protocol/index.ts';
import { asOwnerOf } from './folder-owner.ts';
import { exchange, unreachable } from './https-exchange.ts';
import {
  fingerprintOf,
  type Identity,
  identityFrom,
  newKey,
  readIdentity,
  succeeding,
  writeIdentity,
} from './identity.ts';
import { read, type ServiceClient } from './service-client.ts';

const TIMEOUT_MS = 20_000;

/** Throws EDW_ERR_HOST_INVITE, EDW_ERR_SERVICE_UNREACHABLE, what the service refuses with, and EDW_ERR_STATE_WRITE. */
export async function enrolHost(text: string, stateDir: string): Promise<Identity> {
  const invite = parseInvite(text);
  await asOwnerOf(stateDir, () => makeFolder(stateDir));
  // Asked again whose it is: somebody may have made it meanwhile.
  return asOwnerOf(stateDir, () => enrol(invite, stateDir));
}

async function enrol(invite: Invite, stateDir: string): Promise<Identity> {
  await tryToWrite(stateDir);
  const ca = await authorityOf(invite);
  const made = newKey();
  const request: EnrolmentRequest = {
    v: 1,
    secret: invite.secret,
    publicKey: made.publicKey,
    proof: made.prove(enrolmentStatement(invite.secret, made.publicKey)),
  };
  const url = `${invite.url.replace(/\/$/, '')}/v1/enrol`;
  const answer = await exchange({
    url,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
    tls: { ca },
    agent: false,
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_ENROLMENT_BYTES * 4,
  });
  // One that is damaged has nothing to go on with.
  const before = await readIdentity(stateDir).catch(() => null);
  const identity = succeeding(identityFrom(read(url, answer, enrolmentAnswerSchema), made.key), before);
  await writeIdentity(stateDir, identity);
  return identity;
}

/** A host that could not keep what it gets would have used up the secret for nothing. */
async function tryToWrite(stateDir: string): Promise<void> {
  try {
    await rmdir(await mkdtemp(join(stateDir, '.enrol-')));
  } catch (thrown) {
    throw stateWriteError(stateDir, thrown);
  }
}

/** The next certificate, for a key of its own. What was in use stays until all of it is written. */
export async function renewIdentity(client: ServiceClient, held: Identity, stateDir: string): Promise<Identity> {
  const made = newKey();
  const { publicKey } = made;
  const proof = made.prove(renewalStatement(held.point, publicKey));
  const identity = succeeding(identityFrom(await client.renew({ v: 1, publicKey, proof }), made.key), held);
  if (identity.point !== held.point)
    throw new EdgewardError(
      'EDW_ERR_HOST_IDENTITY',
      `renewing the certificate of ${held.point}: it is for ${identity.point}`,
      {
        mend: 'The certificate in use stays. Look at what the sync service has configured for this host.',
      },
    );
  await writeIdentity(stateDir, identity);
  return identity;
}

/** Looks at what the server shows and believes none of it but what the invite names. */
function authorityOf({ url, authority }: Invite): Promise<string> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port || 443), rejectUnauthorized: false, ...nameOf(host) }, () => {
      const found = chainOf(socket.getPeerCertificate(true)).find((pem) => fingerprintOf(pem) === authority);
      socket.destroy();
      if (found === undefined) reject(notTheService(url));
      else resolve(found);
    });
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    socket.on('error', (cause) => reject(unreachable(url, cause.message, cause)));
  });
}

function nameOf(host: string): { servername?: string } {
  return /^[\d.]+$|:/.test(host) ? {} : { servername: host };
}

interface Shown {
  raw?: Buffer;
  issuerCertificate?: Shown;
}

function chainOf(leaf: Shown): string[] {
  const chain: string[] = [];
  // The last one names itself as its issuer.
  for (let at: Shown | undefined = leaf; at?.raw !== undefined && chain.length < 8; at = at.issuerCertificate) {
    chain.push(new X509Certificate(at.raw).toString());
    if (at.issuerCertificate === at) break;
  }
  return chain;
}

function notTheService(url: string): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_HOST_INVITE',
    `enrolling at ${url}: what answers is not of the authority in the invite`,
    {
      mend: 'The secret was not sent. Make an invite where the service runs now, and check that its address leads to it.',
    },
  );
}
