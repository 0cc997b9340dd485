import { DEVICE_GROUPS } from './box-paths.ts';
import type { Unit } from './cluster.ts';
import { type Json, objectPath } from './icontrol/index.ts';

/**
 * Whose changes the units of a pair hold: the box tells for each unit which unit made the newest change that it has, and
 * when. That tells changes since a moment, and whether the other unit may have some of its own. It does not tell whose
 * changes there are besides the newest, so nobody can know afterwards that all that waits is ours.
 */
export interface Commits {
  /** Of this unit; two that are equal mean that nothing was written between. */
  own: string;
  peers: string;
  /** A config-sync from here might overwrite what was changed there. In doubt true. */
  peerMayBeAhead: boolean;
}

interface Row {
  device: string;
  commit: string;
  originator: string;
  lastSync: string;
}

/** null: the box does not tell. */
export async function commitsOf({ box, name, pair }: Unit): Promise<Commits | null> {
  if (pair === null) return null;
  const stats = await box.get(`${objectPath(DEVICE_GROUPS, `/Common/${pair.group}`)}/stats`);
  const rows = Object.values(objectAt(stats, 'entries')).map(rowOf);
  const own = rows.find(({ device }) => nameIn(device) === name);
  if (own === undefined || rows.some(({ commit }) => commit === '')) return null;
  const peers = rows.filter((row) => row !== own);
  return {
    own: own.commit,
    peers: JSON.stringify(peers.map(({ device, commit }) => [device, commit]).sort()),
    // What it changed itself, and this unit never got.
    peerMayBeAhead: peers.some(
      ({ device, originator, commit }) => originator === device && commit !== own.lastSync && commit !== own.commit,
    ),
  };
}

function rowOf(entry: unknown): Row {
  const values = objectAt(objectAt(entry, 'nestedStats'), 'entries');
  const text = (key: string): string => {
    const { description } = objectAt(values, key);
    return typeof description === 'string' ? description : '';
  };
  const moment = (who: string, when: string): string => (who === '' || when === '' ? '' : `${who} ${when}`);
  return {
    device: text('device'),
    commit: moment(text('commitIdOriginator'), text('commitIdTime')),
    originator: text('commitIdOriginator'),
    lastSync: moment(text('lssOriginator'), text('lssTime')),
  };
}

function nameIn(device: string): string {
  return device.slice(device.lastIndexOf('/') + 1);
}

function objectAt(value: unknown, key: string): Json {
  const found = typeof value === 'object' && value !== null ? (value as Json)[key] : null;
  return typeof found === 'object' && found !== null ? (found as Json) : {};
}
