import type { Risk } from '@edgeward/policy-format';
import { covers, isWide, overlaps } from './address-sets.ts';
import { isLater } from './document-risks.ts';
import { isFenceWidened, membersOf, type WorkloadTerm } from './fences.ts';
import { type Opening, openingsOf } from './openings.ts';
import type { PolicyView } from './policy-view.ts';
import { coversPorts, sharePorts } from './port-sets.ts';
import type { RiskFinding } from './risks.ts';

/**
 * Risks that no rule shows by itself: what the allow rules of an object open together, and what a new or renamed rule
 * opens beyond all that came before it. A new object has no fences that could be widened: what it replaces is missed as
 * an object. `found`: what rules show by themselves; it is not said again.
 */
export function openingRisks(was: PolicyView, is: PolicyView, found: readonly RiskFinding[]): RiskFinding[] {
  const said = new Set(found.map(({ risk, where }) => `${risk} ${where}`));
  const out: RiskFinding[] = [];
  const say: Say = (risk, opening, message) => {
    const where = whereOf(opening);
    said.add(`${risk} ${where}`);
    out.push({ risk, where, message });
  };
  const isSaid: IsSaid = (risk, opening) => said.has(`${risk} ${whereOf(opening)}`);
  const before = openingsOf(was);
  for (const [object, after] of openingsOf(is)) {
    const had = before.get(object) ?? [];
    wideRisks(object, after, had, say, isSaid);
    if (was.objects.has(object)) widenedRisks(object, after, had, say, isSaid);
  }
  return out;
}

type Say = (risk: Risk, opening: Opening, message: string) => void;
type IsSaid = (risk: Risk, opening: Opening) => boolean;

function whereOf({ rule }: Opening): string {
  return `rule ${rule}`;
}

/** `any` and labels without a fence are said at their rule, and are no part of a sum. */
function wideRisks(object: string, after: Opening[], had: Opening[], say: Say, isSaid: IsSaid): void {
  const addresses = after.filter(({ term }) => term.kind === 'cidr' || term.kind === 'network');
  const fences = after.filter(({ term }) => term.kind === 'workloads' && term.within !== null);
  for (const it of addedToWide(addresses, had.filter(isOpenToAddresses), (it) => isSaid('any-source', it)))
    say('any-source', it, `with what else reaches '${object}', it lets in more than a /8, or an IPv6 /16`);
  for (const it of addedToWide(fences, had.filter(isByLabels), (it) => isSaid('unfenced', it)))
    say('unfenced', it, `with what else reaches '${object}', its fences make a wide one`);
}

function isByLabels({ term }: Opening): boolean {
  return term.kind === 'workloads';
}

function isOpenToAddresses({ term }: Opening): boolean {
  return term.kind !== 'workloads';
}

/** What is new in a wide sum, one for each rule. Ports that are shared in part count as shared. */
function addedToWide(after: Opening[], had: readonly Opening[], isSaid: (it: Opening) => boolean): Opening[] {
  if (!isWide(after.flatMap((it) => it.addresses))) return [];
  const known = bySpelling(had);
  const wideAt = new Map<string, boolean>();
  const found = new Map<string, Opening>();
  for (const it of after) {
    if (found.has(it.rule) || isSaid(it)) continue;
    const ports = it.ports.map(({ protocol, from, to }) => `${protocol}/${from}-${to}`).join();
    const isWideThere = wideAt.get(ports) ?? isWideBeside(it, after);
    wideAt.set(ports, isWideThere);
    if (isWideThere && !isOpened(it, known.get(it.spelling) ?? []) && !isOpened(it, had)) found.set(it.rule, it);
  }
  return [...found.values()];
}

function isWideBeside({ ports }: Opening, after: readonly Opening[]): boolean {
  return isWide(after.filter((it) => sharePorts(it.ports, ports)).flatMap((it) => it.addresses));
}

/** Whether all of it was let in before: on these ports, with no condition that is gone, for as long. */
function isOpened(it: Opening, had: readonly Opening[]): boolean {
  const asFree = had.filter(
    (other) =>
      coversPorts(other.ports, it.ports) && (other.http === null || other.http === it.http) && lasts(other, it),
  );
  return isHeld(it, asFree);
}

/** Exceptions of a network are taken back by the same network alone: others with some near are not counted. */
function isHeld(it: Opening, had: readonly Opening[]): boolean {
  if (had.some((other) => other.spelling === it.spelling && covers(other.addresses, it.addresses))) return true;
  const whole = had.filter((other) => !overlaps(other.except, it.addresses));
  return covers(
    whole.flatMap((other) => other.addresses),
    it.addresses,
  );
}

function lasts(other: Opening, it: Opening): boolean {
  return !isLater(other.endsMs, it.endsMs);
}

function bySpelling(openings: readonly Opening[]): Map<string, Opening[]> {
  const out = new Map<string, Opening[]>();
  for (const it of openings) {
    const same = out.get(it.spelling) ?? [];
    out.set(it.spelling, same);
    same.push(it);
  }
  return out;
}

function widenedRisks(object: string, after: Opening[], had: Opening[], say: Say, isSaid: IsSaid): void {
  const known = bySpelling(had);
  const fresh = after.filter((it) => !known.get(it.spelling)?.some((other) => !isLater(other.untilMs, it.untilMs)));
  if (fresh.length === 0) return;
  const isMore = membersOf(labelsIn(after)) > membersOf(labelsIn(had));
  for (const it of fresh) {
    if (isSaid('fence-widened', it)) continue;
    const message = it.term.kind === 'workloads' ? widenedFence(it.term, it, had, isMore) : widenedAddresses(it, had);
    if (message !== null) say('fence-widened', it, `at '${object}', ${message}`);
  }
}

function labelsIn(openings: readonly Opening[]): WorkloadTerm[] {
  return openings.flatMap(({ term }) => (term.kind === 'workloads' ? [term] : []));
}

function widenedFence(term: WorkloadTerm, it: Opening, had: readonly Opening[], isMore: boolean): string | null {
  // The one has a risk of its own; the other lets nobody in who was not let in already.
  if (term.within === null || isOpened(it, had.filter(isOpenToAddresses))) return null;
  const lasting = labelsIn(had.filter((other) => lasts(other, it)));
  if (lasting.length === 0) return 'no fence that lasts as long stood there before';
  if (isFenceWidened(term, lasting)) return 'its fence holds more addresses than those before, or more members';
  return isMore ? 'its fence and those of other rules hold more members' : null;
}

/** Addresses apart from all that were let in before are a new source, and no wider one. */
function widenedAddresses(it: Opening, had: readonly Opening[]): string | null {
  if (it.term.kind === 'any') return null;
  const before = had.filter(isOpenToAddresses);
  if (!before.some((other) => overlaps(other.addresses, it.addresses))) return null;
  const lasting = before.filter((other) => lasts(other, it));
  return isHeld(it, lasting) ? null : 'it holds more addresses than what was let in before, or for longer';
}
