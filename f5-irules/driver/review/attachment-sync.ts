import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { EdgewardError } from '@edgeward/runtime';
import { VIRTUALS } from '../box-paths.ts';
import { boxText } from '../box-text.ts';
import { commandSync, type Pair, syncStateOf, type Unit } from '../cluster.ts';
import { readVirtual } from '../held.ts';
import { type Icontrol, objectPath } from '../icontrol/index.ts';
import type { RulesChange } from './attachment.ts';

/**
 * How a change to virtual servers reaches the other unit of a pair. As for a policy: a config-sync is commanded when the
 * pair was in sync before, so that nothing of anybody else is carried along; otherwise it is due, and a person decides.
 */
export interface RulesSync {
  /** `done`: it is commanded. `automatic`: the box does it by itself. `due`: a person has to. */
  end: 'done' | 'automatic' | 'due';
  pair: Pair;
  command: string | null;
}

export async function beginRulesSync(unit: Unit, pair: Pair): Promise<RulesSync> {
  if (pair.automatic) return { end: 'automatic', pair, command: null };
  const { state } = await syncStateOf(unit.box);
  if (state === 'in-sync') return { end: 'done', pair, command: null };
  return { end: 'due', pair, command: `tmsh run cm config-sync to-group ${boxText(pair.group)}` };
}

/** Throws EDW_ERR_BIGIP_NOT_SYNCED; the rules are changed on the active unit then. */
export async function endRulesSync(
  point: string,
  unit: Unit,
  { end, pair }: RulesSync,
  changes: readonly RulesChange[],
  timeoutMs: number,
): Promise<RulesSync['end']> {
  if (end !== 'done') return end;
  await commandSync(point, unit, pair.group);
  const untilMs = Date.now() + timeoutMs;
  for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, 1000)) {
    const { state, words } = await syncStateOf(unit.box);
    // A status may be older than our writes: the other unit itself is asked, where its address is known.
    if (state === 'in-sync' && (await peersHold(pair.peers, changes))) return end;
    await sleep(pauseMs);
    if (Date.now() < untilMs) continue;
    throw new EdgewardError(
      'EDW_ERR_BIGIP_NOT_SYNCED',
      `syncing the rules of virtual servers of ${point}: they are changed on ${unit.name}, and the pair says ${JSON.stringify(words)}`,
      { mend: 'Look at the device group and at the other unit (tmsh show cm sync-status), then sync it.' },
    );
  }
}

/** A unit that can't be asked contradicts nothing. */
async function peersHold(peers: readonly Icontrol[], changes: readonly RulesChange[]): Promise<boolean> {
  const answers = peers.flatMap((peer) =>
    changes.map(async ({ virtual, after }) => {
      const found = await peer.get(objectPath(VIRTUALS, virtual));
      return found !== null && isDeepStrictEqual(readVirtual(found).rules, after);
    }),
  );
  return !(await Promise.all(answers.map((answer) => answer.catch(() => true)))).includes(false);
}
