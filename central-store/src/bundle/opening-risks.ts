import type { Risk } from '@edgeward/policy-format';
import { isWide } from './address-sets.ts';
import { isLater } from './document-risks.ts';
import { type EarlierOpenings, earlierOpenings } from './earlier-openings.ts';
import { isFenceWidened, labelsIn, membersOf, type WorkloadTerm } from './fences.ts';
import { type Opening, openingsOf } from './openings.ts';
import type { PolicyView } from './policy-view.ts';
import { sharePorts } from './port-sets.ts';
import type { RiskFinding } from './risks.ts';

/**
 * Risks that no rule shows by itself: what the allow rules of an object open together, and what a new or renamed rule
 * opens beyond all that came before it. A new object has no fences that could be widened: what it replaces is missed as
 * an object. `found`: what rules show by themselves; it is not said again.
 */
export function openingRisks(was: PolicyView, is: PolicyView, found: readonly RiskFinding[]): RiskFinding[] {
  const said = new Set(found.map(({ risk, where }) => `${risk} ${where}`));
  const out: RiskFinding[] = [];
  const say: Say = (risk, { rule }, message) => {
    const where = `rule ${rule}`;
    if (said.has(`${risk} ${where}`)) return;
    said.add(`${risk} ${where}`);
    out.push({ risk, where, message });
  };
  for (const change of changesOf(was, is)) {
    wideRisks(change, say);
    if (!change.isNew) widenedRisks(change, say);
  }
  return out;
}

/** Once for each rule. */
type Say = (risk: Risk, opening: Opening, message: string) => void;

interface Change {
  object: string;
  isNew: boolean;
  after: readonly Opening[];
  had: readonly Opening[];
}

const NOTHING: readonly Opening[] = [];

/** Of objects that let in the same, before and now, the first stands for all. */
function* changesOf(was: PolicyView, is: PolicyView): Generator<Change> {
  const before = openingsOf(was);
  const looked = new Map<readonly Opening[], Set<readonly Opening[] | null>>();
  for (const [object, after] of openingsOf(is)) {
    const isNew = !was.objects.has(object);
    const had = before.get(object) ?? NOTHING;
    const pairs = looked.get(after) ?? new Set();
    looked.set(after, pairs);
    if (pairs.has(isNew ? null : had)) continue;
    pairs.add(isNew ? null : had);
    yield { object, isNew, after, had };
  }
}

/** `any` and labels without a fence are said at their rule, and are no part of a sum. */
function wideRisks({ object, after, had }: Change, say: Say): void {
  const addresses = after.filter(({ term }) => term.kind === 'cidr' || term.kind === 'network');
  for (const it of addedToWide(addresses, () => earlierOpenings(had.filter(isByAddress))))
    say('any-source', it, `with what else reaches '${object}', it lets in more than a /8, or an IPv6 /16`);
  const fences = after.filter(({ term }) => term.kind === 'workloads' && term.within !== null);
  for (const it of addedToWide(fences, () => earlierOpenings(had.filter((other) => !isByAddress(other)))))
    say('unfenced', it, `with what else reaches '${object}', its fences make a wide one`);
}

function isByAddress({ term }: Opening): boolean {
  return term.kind !== 'workloads';
}

/** What is new in a wide sum. Ports that are shared in part count as shared. */
function addedToWide(after: readonly Opening[], earlier: () => EarlierOpenings): Opening[] {
  if (!isWide(after.flatMap((it) => it.addresses))) return [];
  const wide = new Map(after.map((it) => [it.portsText, it.ports] as const));
  for (const [text, ports] of wide) {
    const beside = after.filter((it) => sharePorts(it.ports, ports));
    if (!isWide(beside.flatMap((it) => it.addresses))) wide.delete(text);
  }
  const { isOpened } = earlier();
  return after.filter((it) => wide.has(it.portsText) && !isOpened(it));
}

function widenedRisks({ object, after, had }: Change, say: Say): void {
  const lastUntil = new Map<string, number | null>();
  for (const { spelling, untilMs } of had) {
    const known = lastUntil.get(spelling);
    if (known === undefined || isLater(known, untilMs)) lastUntil.set(spelling, untilMs);
  }
  const fresh = after.filter(({ spelling, untilMs }) => {
    const known = lastUntil.get(spelling);
    return known === undefined || isLater(known, untilMs);
  });
  if (fresh.length === 0) return;
  const isMore = membersOf(fencesIn(after)) > membersOf(fencesIn(had));
  const fences = earlierOpenings(had.filter((it) => !isByAddress(it)));
  const addresses = earlierOpenings(had.filter(isByAddress));
  for (const it of fresh) {
    const message =
      it.term.kind === 'workloads'
        ? widenedFence(it.term, it, { fences, addresses, isMore })
        : widenedAddresses(it, addresses);
    if (message !== null) say('fence-widened', it, `at '${object}', ${message}`);
  }
}

function fencesIn(openings: readonly Opening[]): WorkloadTerm[] {
  return labelsIn(openings.map(({ term }) => term));
}

function widenedFence(
  term: WorkloadTerm,
  it: Opening,
  { fences, addresses, isMore }: { fences: EarlierOpenings; addresses: EarlierOpenings; isMore: boolean },
): string | null {
  // The one has a risk of its own; the other lets nobody in who was not let in already.
  if (term.within === null || addresses.isOpened(it)) return null;
  const lasting = fences.fencesFor(it);
  if (lasting.bySelector.size === 0) return 'no fence that lasts as long stood there before';
  if (isFenceWidened(term, lasting)) return 'its fence holds more addresses than those before, or more members';
  return isMore ? 'its fence and those of other rules hold more members' : null;
}

/** Addresses apart from all that were let in before are a new source, and no wider one. */
function widenedAddresses(it: Opening, earlier: EarlierOpenings): string | null {
  if (it.term.kind === 'any' || earlier.isHeld(it) || !earlier.overlaps(it)) return null;
  return 'it holds more addresses than what was let in before, or for longer';
}
