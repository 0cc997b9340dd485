import crypto from 'crypto';
import fs from 'fs';
import { ACTIVE, BOOT_ID, formatActive, isKey, parseActive, WRITER } from './layout.ts';
import type { Zone } from './zone-life.ts';
import { bootId, writerOf } from './zone-life.ts';

/**
 * The endpoint that the driver writes the zone through, on loopback with a token from a file. Every chunk is checked
 * whole before its first write; a policy takes effect by `switch`, one write, and only at the zone that the push
 * began with. A push begins by naming who wrote last and who writes now: of two services that share this NGINX the
 * later one is refused until it has looked again. Nothing here knows what a policy means.
 */

/** No bind can be empty, so no total has this key. */
const EPOCH = '\t\tepoch';

interface Answer {
  status: number;
  body: unknown;
}

export function push(r: NginxHTTPRequest): void {
  const answer = authorised(r)
    ? handle(r)
    : refused(401, 'EDW_ERR_POINT_TOKEN', 'the bearer token is missing or wrong');
  r.headersOut['Content-Type'] = 'application/json';
  r.return(answer.status, JSON.stringify(answer.body));
}

function handle(r: NginxHTTPRequest): Answer {
  const zone = ngx.shared.edgeward as Zone;
  const call = `${r.method} ${r.uri.slice('/edgeward/'.length)}`;
  try {
    if (call === 'GET state') return ok(state(zone));
    if (call === 'GET counts') return ok(counts(ngx.shared.edgeward_counts as NgxSharedDict<number>));
    if (call === 'GET keys') return ok(zone.keys(10000000).filter((key) => isKey(key)));
    if (call === 'POST digest') return ok(digest(zone, body(r)));
    if (r.variables.http_edgeward_boot_id !== bootId(zone))
      return refused(409, 'EDW_ERR_POINT_RESTARTED', 'the zone is not the one that this push began with');
    if (r.variables.http_edgeward_writer !== writerOf(zone))
      return refused(409, 'EDW_ERR_POINT_TAKEN', 'another sync service wrote to this zone meanwhile');
    if (call === 'POST begin') return begin(zone, body(r));
    if (call === 'POST set') return set(zone, body(r));
    if (call === 'POST switch') return switchTo(zone, body(r));
    if (call === 'POST delete') return remove(zone, body(r));
  } catch (problem) {
    const error = problem as Error;
    if (error.name === 'SharedMemoryError') return refused(507, 'EDW_ERR_ZONE_TOO_SMALL', 'the zone is full');
    return refused(500, 'EDW_ERR_POINT_REFUSED', error.message);
  }
  return refused(404, 'EDW_ERR_POINT_REFUSED', `no such call: ${call}`);
}

function state(zone: Zone): unknown {
  const active = zone.get(ACTIVE);
  return {
    bootId: bootId(zone),
    writer: writerOf(zone),
    active: active === undefined ? null : parseActive(active),
    capacity: zone.capacity,
    free: zone.freeSpace(),
    njs: njs.version,
  };
}

/** Totals by `BIND TAB VERDICT TAB REASON`; `epoch` is made anew with the zone, so that a reader sees them start over. */
function counts(zone: NgxSharedDict<number>): unknown {
  zone.add(EPOCH, Math.floor(Math.random() * 9007199254740991));
  return { epoch: String(zone.get(EPOCH)), counts: zone.items(100000).filter((it) => it[0] !== EPOCH) };
}

/** The body is the new writer. Deleted first: a full zone has no room for a second value, and must be emptied somehow. */
function begin(zone: Zone, next: string): Answer {
  if (!/^[0-9a-f]{16}$/.test(next)) return refused(400, 'EDW_ERR_POINT_REFUSED', 'the body names no writer');
  zone.delete(WRITER);
  zone.set(WRITER, next);
  return ok({ writer: next });
}

/** Lines of `key TAB value`. */
function set(zone: Zone, text: string): Answer {
  const lines = text.split('\n');
  const keys: string[] = [];
  const values: string[] = [];
  for (let i = 0; i < lines.length; i += 1) {
    const line = lines[i] as string;
    if (line === '') continue;
    const tab = line.indexOf('\t');
    const key = line.slice(0, tab);
    const value = line.slice(tab + 1);
    if (tab < 0 || !isKey(key) || !isValue(key, value))
      return refused(400, 'EDW_ERR_POINT_REFUSED', `line ${i + 1} is no entry`);
    keys.push(key);
    values.push(value);
  }
  for (let i = 0; i < keys.length; i += 1) zone.set(keys[i] as string, values[i] as string);
  return ok({ written: keys.length });
}

function isValue(key: string, value: string): boolean {
  if (key.charAt(0) !== '@' && key.indexOf('#') < 0) return /^\+?[0-9a-f]*$/.test(value);
  try {
    const parsed = JSON.parse(value) as { content?: unknown };
    if (key.charAt(0) !== '@') return Array.isArray(parsed);
    return typeof parsed.content === 'string' && /^[0-9a-f]{12}$/.test(parsed.content);
  } catch (_noJson) {
    return false;
  }
}

/** The body is the new value of `active`. */
function switchTo(zone: Zone, text: string): Answer {
  const next = parseActive(text);
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
function remove(zone: Zone, text: string): Answer {
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

function body(r: NginxHTTPRequest): string {
  return r.requestText || '';
}

/** Compares digests, so that the time taken says nothing about the token. */
function authorised(r: NginxHTTPRequest): boolean {
  const token = readToken(r);
  const given = r.variables.http_authorization || '';
  return token.length >= 16 && sha256(given) === sha256(`Bearer ${token}`);
}

/** Empty where there is none, which admits nobody. */
function readToken(r: NginxHTTPRequest): string {
  try {
    return fs
      .readFileSync(r.variables.edgeward_token_file as string)
      .toString()
      .trim();
  } catch (problem) {
    r.error(`edgeward: reading the push token: ${(problem as Error).message}`);
    return '';
  }
}

function sha256(text: string): string {
  return crypto.createHash('sha256').update(text).digest('hex');
}

function ok(value: unknown): Answer {
  return { status: 200, body: value };
}

function refused(status: number, code: string, message: string): Answer {
  return { status, body: { error: { code, message } } };
}
