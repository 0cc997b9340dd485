import crypto from 'crypto';
import type { FoldZone } from './folding.ts';
import { foldedIn } from './folding.ts';
import { loadLastKnown } from './last-known.ts';
import { ACTIVE, BOOT_ID, formatActive, isKey, isValue, LAYOUT, mayBeKey, parseActive, WRITER } from './layout.ts';
import { askProof, fetchProof } from './proof.ts';
import type { Zone } from './zone-life.ts';
import { bootId, writerOf } from './zone-life.ts';

/**
 * The calls that the driver writes a zone by, over whichever transport. Every chunk is checked whole before its first
 * write; a policy takes effect by `switch`, one write, and only at the zone that the push began with. A push begins by
 * naming who wrote last and who writes now: of two services that share this NGINX the later one is refused until it has
 * looked again. Nothing here knows what a policy means.
 */

/** No bind can be empty, so no total has this key. */
const EPOCH = '\t\tepoch';

/** The zones of one transport. */
export interface PushTarget {
  zone: Zone;
  counts: NgxSharedDict<number>;
  /** Where nothing is folded there is none. */
  folds?: FoldZone | undefined;
  /** The file that is loaded into an empty zone. */
  lastKnown: () => string;
  /** The folder of native snapshots that this NGINX includes, and the snapshot; without one, every request is asked about. */
  included?: { folder: string; generation: string } | undefined;
}

export interface PushCall {
  /** `GET state`, `POST set`. */
  call: string;
  /** Of the zone that a change is meant for, and who makes it. */
  bootId: string;
  writer: string;
  body: string;
}

export interface PushAnswer {
  status: number;
  body: unknown;
}

/** Whoever calls has shown the token. */
export function answerCall(to: PushTarget, asked: PushCall): PushAnswer {
  const zone = to.zone;
  const call = asked.call;
  try {
    if (call === 'GET state') return ok(state(to));
    if (call === 'GET counts') return ok(counts(to));
    if (call === 'GET keys') return ok(zone.keys(10000000).filter(mayBeKey));
    if (call === 'POST digest') return ok(digest(zone, asked.body));
    if (call === 'POST values')
      return ok(asked.body.split('\n').map((key) => (isKey(key) ? (zone.get(key) ?? null) : null)));
    if (call === 'POST prove') return prove(zone, asked.body);
    if (call === 'POST proven') return ok(fetchProof(zone, asked.body));
    if (asked.bootId !== bootId(zone))
      return refused(409, 'EDW_ERR_POINT_RESTARTED', 'the zone is not the one that this push began with');
    if (asked.writer !== writerOf(zone))
      return refused(409, 'EDW_ERR_POINT_TAKEN', 'another sync service wrote to this zone meanwhile');
    if (call === 'POST begin') return begin(to, asked.body);
    if (call === 'POST set') return set(zone, asked.body);
    if (call === 'POST switch') return switchTo(to, asked.body);
    if (call === 'POST delete') return remove(zone, asked.body);
  } catch (problem) {
    const error = problem as Error;
    if (error.name === 'SharedMemoryError') return refused(507, 'EDW_ERR_ZONE_TOO_SMALL', 'the zone is full');
    return refused(500, 'EDW_ERR_POINT_REFUSED', error.message);
  }
  return refused(404, 'EDW_ERR_POINT_REFUSED', `no such call: ${call}`);
}

function state(to: PushTarget): unknown {
  const zone = to.zone;
  const active = zone.get(ACTIVE);
  return {
    bootId: bootId(zone),
    writer: writerOf(zone),
    active: active === undefined ? null : parseActive(active),
    capacity: zone.capacity,
    free: zone.freeSpace(),
    njs: njs.version,
    included: to.included,
    layout: LAYOUT,
  };
}

/** Totals by `BIND TAB VERDICT TAB REASON`; `epoch` is made anew with the zone, so that a reader sees them start over. */
function counts(to: PushTarget): unknown {
  const zone = to.counts;
  zone.add(EPOCH, Math.floor(Math.random() * 9007199254740991));
  const totals = zone.items(100000).filter((it) => it[0] !== EPOCH);
  // After the totals: whoever subtracts it finds fewer that are in no line meanwhile, and never more than there are.
  const waiting = to.folds === undefined ? 0 : foldedIn(to.folds);
  return { epoch: String(zone.get(EPOCH)), counts: totals, waiting };
}

/** The body is the new writer. Deleted first: a full zone has no room for a second value, and must be emptied somehow. */
function begin(to: PushTarget, next: string): PushAnswer {
  const zone = to.zone;
  if (!/^[0-9a-f]{16}$/.test(next)) return refused(400, 'EDW_ERR_POINT_REFUSED', 'the body names no writer');
  // Now, or a request that loads the file while it is pushed puts into force what is deleted as nobody's meanwhile.
  if (zone.get(ACTIVE) === undefined) loadLastKnown(zone, to.lastKnown());
  zone.delete(WRITER);
  zone.set(WRITER, next);
  return ok({ writer: next });
}

/** Lines of `key TAB value`. */
function set(zone: Zone, text: string): PushAnswer {
  const lines = text.split('\n');
  const keys: string[] = [];
  const values: string[] = [];
  // Buckets of tables, which nearly all entries are, in one look, by a pattern that is made once a call.
  const bucket = /^[0-9a-f]{12}(?:\*[46]|(?:[0-9a-f]{2}){2,15})\t\+?[0-9a-f]*$/;
  for (let i = 0; i < lines.length; i += 1) {
    const line = lines[i] as string;
    if (line === '') continue;
    const tab = line.indexOf('\t');
    const key = line.slice(0, tab);
    const value = line.slice(tab + 1);
    if (!bucket.test(line) && (tab < 0 || !isKey(key) || !isValue(key, value)))
      return refused(400, 'EDW_ERR_POINT_REFUSED', `line ${i + 1} is no entry`);
    keys.push(key);
    values.push(value);
  }
  for (let i = 0; i < keys.length; i += 1) zone.set(keys[i] as string, values[i] as string);
  return ok({ written: keys.length });
}

/**
 * The body is the new value of `active`. Behind a tab stands the folder of the snapshots whose flags whoever switches has
 * taken away; NGINX might else let in by one what is no longer allowed.
 */
function switchTo(to: PushTarget, text: string): PushAnswer {
  const zone = to.zone;
  const parts = text.split('\t');
  const folder = to.included === undefined ? '' : to.included.folder;
  if (folder !== '' && parts[1] !== folder)
    return refused(409, 'EDW_ERR_POINT_SNAPSHOTS', `this NGINX includes the snapshots of ${folder}`);
  const next = parseActive(parts[0] as string);
  if (next === null) return refused(400, 'EDW_ERR_POINT_REFUSED', 'the body names no revision');
  const current = zone.get(ACTIVE);
  const active = current === undefined ? null : parseActive(current);
  if (active !== null && active.revision > next.revision) {
    return refused(409, 'EDW_ERR_REVISION_OLDER', `revision ${active.revision} is active, ${next.revision} is older`);
  }
  zone.set(ACTIVE, formatActive(next));
  return ok({ active: next });
}

/** Lines of keys. What is in force is never deleted: not `active`, and no header of its generation. */
function remove(zone: Zone, text: string): PushAnswer {
  const active = parseActive(zone.get(ACTIVE) || '');
  const kept = active === null ? '@' : `@${active.generation}/`;
  const keys = text.split('\n').filter((key) => isKey(key) && key.slice(0, kept.length) !== kept);
  keys.forEach((key) => {
    zone.delete(key);
  });
  return ok({ deleted: keys.length });
}

/** sha256 over the entries of the keys in the body, as they would be pushed; a missing one counts as `key` alone. */
function digest(zone: Zone, text: string): unknown {
  const hash = crypto.createHash('sha256');
  const keys = text.split('\n');
  for (let i = 0; i < keys.length; i += 1) {
    const value = zone.get(keys[i] as string);
    hash.update(value === undefined ? `${keys[i]}\n` : `${keys[i]}\t${value}\n`);
  }
  return { bootId: zone.get(BOOT_ID), sha256: hash.digest('hex') };
}

/** Writes beside the policy and changes nothing of it, so that who proves need not be who pushes. */
function prove(zone: Zone, text: string): PushAnswer {
  const asked = askProof(zone, text);
  return asked === null ? refused(400, 'EDW_ERR_POINT_REFUSED', 'the body asks nothing') : ok(asked);
}

function ok(value: unknown): PushAnswer {
  return { status: 200, body: value };
}

export function refused(status: number, code: string, message: string): PushAnswer {
  return { status, body: { error: { code, message } } };
}
