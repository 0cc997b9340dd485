import { createHash, randomBytes } from 'node:crypto';
import { chown, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgewardError, makeFolder, messageOf, syncFolder, systemCodeOf, writeDurably } from '@edgeward/runtime';
import * as z from 'zod';

/**
 * One-time secrets by which a host gets its first identity, as files in `STATEDIR/hosts/invites`. A person makes one beside
 * the service; only its hash is kept, and the file is named by it. Used means renamed: of two hosts that come with the same
 * secret one is the first, also when the service is killed right then. There is one open invite for a point at most.
 */
interface KeptInvite {
  v: 1;
  point: string;
  /** ISO 8601. */
  madeAt: string;
  endsAt: string;
}

export interface OpenInvite {
  point: string;
  madeAt: string;
  endsAt: string;
}

/** What became of a secret that somebody came with. */
export type Taken =
  | { state: 'taken'; point: string; madeAt: string }
  | { state: 'unknown' | 'used' | 'ended' | 'not-configured' };

const keptInvite: z.ZodType<KeptInvite> = z.object({
  v: z.literal(1),
  point: z.string(),
  madeAt: z.iso.datetime(),
  endsAt: z.iso.datetime(),
});

/** 256 bits: nobody guesses one, however long it is good. */
const SECRET_BYTES = 32;
const OPEN = '.json';
const USED = '.used';
/** Clocks of this one machine, that may be set right meanwhile. */
const BEFORE_MS = 60_000;
/** How long it can be told that an invite was used, and not just unknown. */
const USED_KEPT_MS = 30 * 86_400_000;

/** `folder` is `STATEDIR/hosts`. For the service, at its start. Throws EDW_ERR_STATE_WRITE. */
export async function makeInvitesFolder(folder: string): Promise<void> {
  await makeFolder(invitesFolder(folder));
}

/** The secret, which is kept nowhere. What was open for this point before is not good any more. Throws EDW_ERR_HOST_INVITING. */
export async function makeInvite(
  folder: string,
  { point, endsAtMs, nowMs }: { point: string; endsAtMs: number; nowMs: number },
): Promise<string> {
  const place = invitesFolder(folder);
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  const invite: KeptInvite = { v: 1, point, madeAt: instant(nowMs), endsAt: instant(endsAtMs) };
  try {
    const owner = await stat(place);
    await withdraw(place, (kept) => kept.point === point);
    const path = join(place, `${hashOf(secret)}${OPEN}`);
    await writeDurably(path, `${JSON.stringify(invite)}\n`);
    // Root makes it for the user of the service, who has to read and rename it.
    if (process.geteuid?.() === 0) await chown(path, owner.uid, owner.gid);
  } catch (cause) {
    throw new EdgewardError('EDW_ERR_HOST_INVITING', `making an invite in ${place}: ${messageOf(cause)}`, {
      mend: 'Start the service once with `hosts` in its configuration. Run this where it runs, as its user or as root.',
      cause,
    });
  }
  return secret;
}

/**
 * Whoever is told `taken` is the only one. An invite for a point that is not configured stays: it may be good after the restart
 * that reads the configuration. Throws EDW_ERR_STATE_WRITE where it can't be made sure of.
 */
export async function takeInvite(
  folder: string,
  secret: string,
  { nowMs, isConfigured }: { nowMs: number; isConfigured: (point: string) => boolean },
): Promise<Taken> {
  const place = invitesFolder(folder);
  const name = hashOf(secret);
  const [open, used] = [join(place, `${name}${OPEN}`), join(place, `${name}${USED}`)];
  const kept = await readInvite(open);
  if (kept === null) return { state: (await readInvite(used)) === null ? 'unknown' : 'used' };
  if (!isOpen(kept, nowMs)) {
    // Not even a clock that is set back makes it good again.
    await rm(open, { force: true });
    return { state: 'ended' };
  }
  if (!isConfigured(kept.point)) return { state: 'not-configured' };
  try {
    await rename(open, used);
    await syncFolder(place);
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT') return { state: 'used' };
    throw new EdgewardError('EDW_ERR_STATE_WRITE', `using up an invite in ${place}: ${messageOf(thrown)}`, {
      mend: 'Let the user that runs Edgeward write in this folder; nobody is enrolled until then.',
      cause: thrown,
    });
  }
  return { state: 'taken', point: kept.point, madeAt: kept.madeAt };
}

/** By point. Throws EDW_ERR_HOST_INVITING where there is no such folder, or it may not be read. */
export async function openInvites(folder: string, nowMs: number): Promise<OpenInvite[]> {
  const place = invitesFolder(folder);
  try {
    const found = await invitesIn(place, OPEN);
    const open = found.filter(({ kept }) => isOpen(kept, nowMs));
    return open
      .map(({ kept: { point, madeAt, endsAt } }) => ({ point, madeAt, endsAt }))
      .sort((a, b) => (a.point < b.point ? -1 : 1));
  } catch (cause) {
    throw new EdgewardError('EDW_ERR_HOST_INVITING', `reading ${place}: ${messageOf(cause)}`, {
      mend: 'Start the service once with `hosts` in its configuration. Run this where it runs, as its user or as root.',
      cause,
    });
  }
}

/** Takes away what has ended, and what was used long ago. */
export async function sweepInvites(folder: string, nowMs: number): Promise<void> {
  const place = invitesFolder(folder);
  await withdraw(place, (kept) => !isOpen(kept, nowMs));
  const used = await invitesIn(place, USED);
  for (const { path, kept } of used)
    if (nowMs - Date.parse(kept.endsAt) > USED_KEPT_MS) await rm(path, { force: true });
}

function invitesFolder(folder: string): string {
  return join(folder, 'invites');
}

/** The secret is 256 bits at random: its hash needs no salt, and how long a look takes tells nothing. */
function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}

function isOpen({ madeAt, endsAt }: KeptInvite, nowMs: number): boolean {
  return nowMs >= Date.parse(madeAt) - BEFORE_MS && nowMs < Date.parse(endsAt);
}

async function withdraw(place: string, which: (kept: KeptInvite) => boolean): Promise<void> {
  for (const { path, kept } of await invitesIn(place, OPEN)) if (which(kept)) await rm(path, { force: true });
}

async function invitesIn(place: string, ending: string): Promise<{ path: string; kept: KeptInvite }[]> {
  const paths = (await readdir(place)).filter((name) => name.endsWith(ending)).map((name) => join(place, name));
  const found = await Promise.all(paths.map(async (path) => ({ path, kept: await readInvite(path) })));
  return found.flatMap(({ path, kept }) => (kept === null ? [] : [{ path, kept }]));
}

/** Null where there is none, or none that we wrote. */
async function readInvite(path: string): Promise<KeptInvite | null> {
  try {
    const read = keptInvite.safeParse(JSON.parse(await readFile(path, 'utf8')));
    return read.success ? read.data : null;
  } catch {
    return null;
  }
}
