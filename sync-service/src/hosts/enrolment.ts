import type { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { fingerprintOf, issueCertificateFor, issueNumberOf, publicKeyOf } from '@edgeward/certificates';
import {
  type EnrolmentAnswer,
  enrolmentRequestSchema,
  enrolmentStatement,
  isProof,
  renewalRequestSchema,
  renewalStatement,
} from '@edgeward/host-agent/protocol';
import type { PublicKey } from '@edgeward/policy-format';
import {
  type Clock,
  createRateLimit,
  type EdgewardError,
  type Logger,
  messageOf,
  neighbourhoodOf,
  type Registry,
  repeatedly,
  systemClock,
  type TlsFiles,
} from '@edgeward/runtime';
import type * as z from 'zod';
import { daysOf, openAuthorityFolder } from './authority.ts';
import { countEnrolments } from './enrolment-counts.ts';
import { openEnrolmentRecord } from './enrolment-record.ts';
import { badRequest, refusedInvite, supersededCertificate, tooOften, wrongProof } from './enrolment-refusals.ts';
import { pointOf } from './host-identity.ts';
import { makeInvitesFolder, sweepInvites, takeInvite } from './invites.ts';
import { unknownHost } from './routes.ts';

/**
 * Who gets the identity of a host: once whoever comes with the secret that a person made for it, later whoever has that identity.
 * The name is that of the invite, or of the certificate; no request says one. The private key stays at the host. Invites that are
 * not good are refused in the same words, whatever is wrong with them.
 */
export interface HostAuthority {
  /** For both listeners. */
  files: TlsFiles;
  /** sha256 of the authority's certificate, as invites carry it. */
  fingerprint: string;
  /** Throws EDW_ERR_HOST_ENROLMENT_REQUEST, EDW_ERR_CERTIFICATE_KEY, EDW_ERR_HOST_ENROLMENT, EDW_ERR_STATE_WRITE. */
  enrol(request: unknown, remote: string): Promise<EnrolmentAnswer>;
  /** 0 where somebody at this address may ask to be enrolled; else in how many milliseconds. */
  waitMs(remote: string): number;
  /** `point` is that of the client certificate. Throws EDW_ERR_HOST_UNKNOWN, EDW_ERR_HOST_ENROLMENT_RATE, and what `enrol` throws. */
  renew(point: string, request: unknown): Promise<EnrolmentAnswer>;
  /** Whose requests come with this certificate. Throws EDW_ERR_HOST_UNKNOWN, EDW_ERR_HOST_CERTIFICATE. */
  pointOf(peer: X509Certificate): string;
  close(): Promise<void>;
}

export interface HostAuthorityOptions {
  stateDir: string;
  /** DNS names and addresses that hosts reach this service under; not empty. */
  names: readonly string[];
  /** Hosts of the configuration; no other has an identity here. */
  points: readonly string[];
  /** Whose policies a host is to believe. */
  signingKeys: readonly PublicKey[];
  /** URLs of the listener with mutual TLS. Asked for each answer: its port may not be known before it listens. */
  service: () => readonly string[];
  registry: Registry;
  logger: Logger;
  clock?: Clock;
}

/** A host that is away for longer has to be invited again. */
const HOST_DAYS = 90;
const DAY_MS = 86_400_000;
/** Of one address, whether refused or not: a rack behind one is enrolled in minutes, a guesser asks for ages. */
const ATTEMPTS = { perSecond: 1 / 3, burst: 20 };
/** Of one host: it renews once in months, and an agent that lost the answer asks again. */
const RENEWALS = { perSecond: 1 / 60, burst: 10 };
/** Lines in the log: who asks often could fill it. All are counted. */
const TELLINGS = { perSecond: 1 / 10, burst: 20 };

/**
 * Makes what is missing in `STATEDIR/hosts`. Throws EDW_ERR_AUTHORITY, EDW_ERR_SECRET_FILE, EDW_ERR_CERTIFICATE_REQUEST,
 * EDW_ERR_STATE_WRITE.
 */
export async function openHostAuthority(options: HostAuthorityOptions): Promise<HostAuthority> {
  const { names, logger, clock = systemClock } = options;
  const folder = join(options.stateDir, 'hosts');
  const points = new Set(options.points);
  await makeInvitesFolder(folder);
  await sweepInvites(folder, clock.now());
  const record = await openEnrolmentRecord(folder, logger);
  const { authority, files, renewServer } = await openAuthorityFolder({ folder, names, nowMs: clock.now() });
  const count = countEnrolments(options.registry);
  const attempts = createRateLimit(ATTEMPTS);
  const renewals = createRateLimit(RENEWALS);
  const tellings = createRateLimit(TELLINGS);
  const stop = repeatedly(clock, DAY_MS, () => upkeep());

  async function upkeep(): Promise<void> {
    try {
      await renewServer(clock.now());
      await sweepInvites(folder, clock.now());
    } catch (thrown) {
      logger.error({ event: 'host_authority_failed', err: thrown }, messageOf(thrown));
    }
  }

  async function answer(point: string, publicKey: string, why: 'enrolled' | 'renewed'): Promise<EnrolmentAnswer> {
    const nowMs = clock.now();
    const issueNumber = await record.next(point, why, nowMs);
    const certificate = await issueCertificateFor(authority, publicKey, {
      uris: [`urn:edgeward:point:${point}`],
      days: daysOf(authority, HOST_DAYS, nowMs),
      issueNumber,
      nowMs,
    });
    count(why);
    const { signingKeys, service } = options;
    return {
      v: 1,
      point,
      certificate,
      authority: authority.certificate,
      signingKeys: [...signingKeys],
      service: [...service()],
    };
  }

  /** The reason is for the log of this service: whoever came hears the same, whatever it is. */
  function refuse(reason: string, remote: string): EdgewardError {
    count('refused');
    if (tellings.take('', clock.now()) === 0)
      logger.warn({ event: 'host_enrolment_refused', reason, remote }, 'an invite was refused');
    return refusedInvite();
  }

  function identify(peer: X509Certificate): string {
    const point = pointOf(peer);
    if (point === null) throw unknownHost('the client certificate names no single host');
    if (!points.has(point)) throw unknownHost('it is not in the configuration');
    const issueNumber = issueNumberOf(peer);
    if (issueNumber !== null && record.isNewest(point, issueNumber, clock.now())) return point;
    count('superseded');
    if (tellings.take(point, clock.now()) === 0)
      logger.warn({ event: 'host_certificate_superseded', point }, 'somebody comes with a certificate that is void');
    throw supersededCertificate(point);
  }

  return {
    files,
    fingerprint: fingerprintOf(authority.certificate),
    pointOf: identify,
    waitMs(remote) {
      const ms = attempts.take(neighbourhoodOf(remote), clock.now());
      if (ms > 0) count('limited');
      return ms;
    },
    async enrol(value, remote) {
      const { secret, publicKey, proof } = requestOf(enrolmentRequestSchema, value);
      // Before the secret is looked at: a request that could not be answered uses up no invite.
      publicKeyOf(publicKey);
      if (!isProof(proof, enrolmentStatement(secret, publicKey), publicKey)) throw refuse('proof', remote);
      const taken = await takeInvite(folder, secret, {
        nowMs: clock.now(),
        isConfigured: (point) => points.has(point),
      });
      if (taken.state !== 'taken') throw refuse(taken.state, remote);
      const { point, madeAt } = taken;
      const given = await answer(point, publicKey, 'enrolled');
      logger.info({ event: 'host_enrolled', point, remote, invitedAt: madeAt }, 'a host was enrolled');
      return given;
    },
    async renew(point, value) {
      if (!points.has(point)) throw unknownHost('it is not in the configuration');
      const { publicKey, proof } = requestOf(renewalRequestSchema, value);
      publicKeyOf(publicKey);
      if (renewals.take(point, clock.now()) > 0) {
        count('limited');
        throw tooOften(point);
      }
      if (!isProof(proof, renewalStatement(point, publicKey), publicKey)) throw wrongProof();
      const given = await answer(point, publicKey, 'renewed');
      logger.info({ event: 'host_certificate_renewed', point }, 'a host has a new certificate');
      return given;
    },
    async close() {
      stop();
      await record.flush();
    },
  };
}

function requestOf<Value>(schema: z.ZodType<Value>, value: unknown): Value {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  throw badRequest(read.error.issues[0]?.path.join('.') ?? '');
}
