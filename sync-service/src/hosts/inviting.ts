import { formatInvite } from '@edgeward/host-agent/protocol';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import type { HostsConfig } from '../config.ts';
import { authorityFingerprint } from './authority.ts';
import { enrolmentTimes } from './enrolment-record.ts';
import { makeInvite, openInvites } from './invites.ts';

/**
 * What a person does beside the service about who is a host: by files in its state folder, so that no secret travels and
 * whoever may write there may invite. The service need not run meanwhile; it must have run once.
 */
export interface MadeInvite {
  point: string;
  /** One line, to be carried to the host. */
  invite: string;
  /** Where the host comes with it. */
  url: string;
  /** ISO 8601. */
  endsAt: string;
}

export interface KnownHost {
  point: string;
  /** Whether the configuration has it. */
  configured: boolean;
  /** ISO 8601; null for one that never was. */
  enrolledAt: string | null;
  /** The end of its open invite; null where it has none. */
  invitedUntil: string | null;
}

export interface InviteRequest {
  point: string;
  minutes: number;
  /** Which of `hosts.names` this host reaches; the first one without it. */
  via: string | undefined;
  nowMs: number;
}

/** Where an invite would lead, and until when; nothing is written. Throws EDW_ERR_HOST_INVITING. */
export function planInvite(config: HostsConfig | null, request: InviteRequest): Omit<MadeInvite, 'invite'> {
  const { point, minutes, nowMs } = request;
  if (config?.enrolListen == null)
    throw invitingError(
      'the configuration has no listener that hosts enrol at',
      'Set hosts.enrolListen in the configuration, and restart the service.',
    );
  const { points, names, enrolListen } = config;
  if (!points.some(({ name }) => name === point))
    throw invitingError(
      `the configuration has no host ${point}`,
      `Name it under hosts.points, and restart the service. It has ${listed(points)}.`,
    );
  const via = request.via ?? names[0] ?? '';
  if (!names.includes(via)) throw invitingError(`hosts.names has no ${via}`, `Name one of ${names.join(', ')}.`);
  const url = `https://${via.includes(':') ? `[${via}]` : via}:${enrolListen.port}`;
  return { point, url, endsAt: new Date(nowMs + minutes * 60_000).toISOString() };
}

/** Voids an open invite of this host. Throws EDW_ERR_HOST_INVITING. */
export async function inviteHost(config: HostsConfig | null, request: InviteRequest): Promise<MadeInvite> {
  const planned = planInvite(config, request);
  const folder = config?.folder ?? '';
  const authority = await authorityFingerprint(folder);
  const secret = await makeInvite(folder, {
    point: planned.point,
    endsAtMs: Date.parse(planned.endsAt),
    nowMs: request.nowMs,
  });
  return { ...planned, invite: formatInvite({ url: planned.url, secret, authority }) };
}

/** By name: those of the configuration, and those that were enrolled once. Throws EDW_ERR_HOST_INVITING. */
export async function knownHosts(config: HostsConfig | null, nowMs: number): Promise<KnownHost[]> {
  if (config === null) return [];
  const configured = new Set(config.points.map(({ name }) => name));
  const open = new Map((await openInvites(config.folder, nowMs)).map(({ point, endsAt }) => [point, endsAt]));
  const enrolled = await enrolmentTimes(config.folder).catch((cause: unknown) => {
    throw invitingError(
      `reading who is enrolled: ${messageOf(cause)}`,
      'Run this where the service runs, as its user or as root.',
      cause,
    );
  });
  return [...new Set([...configured, ...enrolled.keys()])].sort().map((point) => ({
    point,
    configured: configured.has(point),
    enrolledAt: enrolled.get(point) ?? null,
    invitedUntil: open.get(point) ?? null,
  }));
}

function listed(points: HostsConfig['points']): string {
  const names = points.slice(0, 10).map(({ name }) => name);
  return names.length === 0 ? 'none' : `${names.join(', ')}${points.length > names.length ? ', …' : ''}`;
}

function invitingError(message: string, mend: string, cause?: unknown): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_HOST_INVITING',
    `inviting a host: ${message}`,
    cause === undefined ? { mend } : { mend, cause },
  );
}
