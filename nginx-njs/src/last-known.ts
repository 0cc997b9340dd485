import crypto from 'crypto';
import fs from 'fs';
import { ACTIVE, formatActive, modeKey, NO_LAST_KNOWN, parseActive } from './layout.ts';
import type { Zone } from './zone-life.ts';
import { reserve } from './zone-life.ts';

/**
 * What the driver wrote down after its last apply: the mode of every object and, up to a size, the policy itself. It
 * is read once after a start, so that the seconds until the sync service pushes again are judged and not guessed. A
 * file that is missing or damaged leaves the zone empty, which denies.
 */
interface LastKnown {
  /** 1: of a driver from before deltas. */
  format: 1 | 2;
  generation: string;
  revision: number;
  hash: string;
  modes: Record<string, string>;
  /** Of the lines that follow; null where the policy was too large to be written. */
  sha256: string | null;
}

export function loadLastKnown(zone: Zone, file: string): void {
  if (zone.get(NO_LAST_KNOWN)) return;
  try {
    reserve(zone);
    const text = fs.readFileSync(file).toString();
    const end = text.indexOf('\n');
    const head = JSON.parse(text.slice(0, end)) as LastKnown;
    if (head.format !== 1 && head.format !== 2) throw new Error('unknown format');
    Object.keys(head.modes).forEach((bind) => {
      zone.set(modeKey(bind), head.modes[bind] as string);
    });
    loadPolicy(zone, head, text.slice(end + 1));
  } catch (problem) {
    const error = problem as Error;
    // njs gives the error of a full zone no message.
    ngx.log(ngx.WARN, `edgeward: no last-known policy in ${file}: ${error.message || error.name}`);
    giveUp(zone, 'unusable');
  }
}

/** Deleted first: a zone that is full has no room for a second value. */
function giveUp(zone: Zone, why: string): void {
  zone.delete(NO_LAST_KNOWN);
  zone.set(NO_LAST_KNOWN, why);
}

function loadPolicy(zone: Zone, head: LastKnown, body: string): void {
  if (head.sha256 === null) {
    giveUp(zone, 'too-large');
    return;
  }
  if (crypto.createHash('sha256').update(body).digest('hex') !== head.sha256) throw new Error('its checksum is wrong');
  const active = formatActive({ generation: head.generation, revision: head.revision, hash: head.hash });
  if (parseActive(active) === null) throw new Error('it names no revision');
  const lines = body.split('\n');
  for (let i = 0; i < lines.length; i += 1) {
    const line = lines[i] as string;
    const tab = line.indexOf('\t');
    if (tab > 0) zone.set(line.slice(0, tab), line.slice(tab + 1));
  }
  // Only where nothing is active: a push that came in meanwhile is newer than the file.
  zone.add(ACTIVE, active);
}
