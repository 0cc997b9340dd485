/**
 * What is promised of a point, whatever it is shown, held against what it does, after every step. What people decided is
 * known here from the people's side; of the point only what it holds and how it judges is looked at.
 */
import assert from 'node:assert/strict';
import type { PointRules } from '@edgeward/policy';
import { type Approval, type Digest, digestOfRoot, type PointState, type TrustRoot } from '@edgeward/policy-format';
import { HOUR_MS, SOURCES } from './estate.ts';
import { type Asked, mayPass } from './oracle.ts';
import type { Victim } from './victim.ts';

/** A version that the people of this test stand behind, or one of them alone for hours. */
export interface Decided {
  approval: Approval;
  digest: Digest;
  /** By point. */
  rules: ReadonlyMap<string, PointRules>;
  /** Made with a stolen key: good as break-glass, and as nothing else. */
  stolen: boolean;
}

export interface Promises {
  decide(decided: Decided): void;
  trust(root: TrustRoot): void;
  /** Throws where one is broken. */
  check(victim: Victim): void;
  readonly seen: { takenOver: number; passed: number; denied: number; glass: number };
}

const GLASS_MS = 4 * HOUR_MS;

export function createPromises(point: string): Promises {
  const decided = new Map<Digest, Decided>();
  const roots = new Set<Digest>();
  const seen = { takenOver: 0, passed: 0, denied: 0, glass: 0 };
  let before: PointState | null = null;
  let highest: Decided | null = null;

  const byDigest = (digest: Digest | null): Decided => {
    const found = decided.get(digest ?? '');
    assert(found !== undefined, 'what was taken over, somebody approved');
    return found;
  };

  function checkOrder(state: PointState, nowMs: number): void {
    if (before === null) return;
    const { epoch, revision } = state.head;
    const was = before.head;
    assert(epoch > was.epoch || (epoch === was.epoch && revision >= was.revision), 'no revision comes back');
    assert(epoch > was.epoch || revision - was.revision <= 2 ** 32, 'no revision is out of reach');
    assert(revision <= 2 ** 36 * (epoch + 1), 'no epoch uses up the numbers of the next');
    const it = byDigest(state.approval.digest);
    if (highest === null || it.approval.version > highest.approval.version || it === highest) return;
    if (state.approval.digest === before.approval.digest) return;
    assert(it.digest === highest.approval.previous, 'no version comes back but the one before the newest');
    const until = highest.approval.returnUntil;
    assert(until !== null && nowMs <= Date.parse(until), 'no version comes back that the newest does not let');
  }

  function checkGlass(state: PointState, nowMs: number): void {
    const it = byDigest(state.approval.digest);
    const { breakGlass } = it.approval;
    if (breakGlass === null) {
      assert(!it.stolen, 'one stolen key approves nothing for good');
      assert(state.base === null, 'nothing stands behind a version of everybody');
      return;
    }
    assert(Date.parse(breakGlass.endsAt) <= nowMs + GLASS_MS, 'a glass is open for hours, and no longer');
    assert(state.base !== null, 'a glass has an end');
    const base = byDigest(state.base.approval.digest);
    assert(!base.stolen && base.approval.breakGlass === null, 'what follows a glass was approved by all who had to');
    assert.equal(base.digest, it.approval.previous, 'what follows a glass is what it was opened upon');
    assert.equal(base.approval.version, it.approval.version - 1, 'what follows a glass is the version before it');
    seen.glass += 1;
  }

  /** By the point itself: a store whose key is stolen says nothing. */
  function checkLoud({ events, nowMs }: Victim, { approval }: PointState): void {
    const { breakGlass, version } = approval.approval;
    if (breakGlass === null || nowMs >= Date.parse(breakGlass.endsAt)) return;
    const told = events.some((it) => it.event === 'break_glass_in_force' && it.version === version);
    assert(told, 'nobody opens a glass in silence');
  }

  /** Addresses of each family, as people wrote `max` for every one of the documents that are held. */
  function checkNumbers({ approval, base, book }: PointState): void {
    for (const it of base === null ? [approval] : [approval, base.approval])
      for (const group of byDigest(it.digest).rules.get(point)?.groups ?? []) {
        if (group.kind !== 'workloads' || group.max === null) continue;
        const members = book.members(group.id);
        const six = members.filter((address) => address.includes(':')).length;
        assert(six <= group.max && members.length - six <= group.max, 'no more members than people let in');
      }
  }

  /** Documents as people signed them, and not as the point holds them. */
  function rulesInForce(state: PointState, nowMs: number): PointRules {
    const it = byDigest(state.approval.digest);
    const glass = it.approval.breakGlass;
    const effective =
      glass === null || nowMs < Date.parse(glass.endsAt) ? it : byDigest(state.base?.approval.digest ?? null);
    const rules = effective.rules.get(point);
    assert(rules !== undefined, 'the version has rules for this point');
    return rules;
  }

  return {
    seen,
    decide: (it) => void decided.set(it.digest, it),
    trust: (root) => void roots.add(digestOfRoot(root)),
    check(victim) {
      const { state, root } = victim.held();
      assert(roots.has(digestOfRoot(root)), 'no trust root that people did not sign');
      if (state === null) {
        assert(before === null, 'what was held is not lost');
        return;
      }
      if (state !== before) {
        assert.equal(state.head.aud, point, 'nothing of another point');
        checkOrder(state, victim.nowMs);
        checkGlass(state, victim.nowMs);
        if (state.head.revision !== before?.head.revision) seen.takenOver += 1;
      }
      const it = byDigest(state.approval.digest);
      if (highest === null || it.approval.version > highest.approval.version) highest = it;
      before = state;
      checkLoud(victim, state);
      checkNumbers(state);
      const rules = rulesInForce(state, victim.nowMs);
      const judge = victim.judge();
      for (const asked of questions(rules)) {
        const passes = judge(asked);
        if (passes) seen.passed += 1;
        else seen.denied += 1;
        assert(!passes || mayPass(rules, asked, victim.nowMs), `outside of every fence: ${JSON.stringify(asked)}`);
      }
    },
  };
}

function* questions(rules: PointRules): Generator<Asked> {
  const objects = [...rules.objects.map(({ name }) => name), 'nobody'];
  for (const to of objects)
    for (const from of SOURCES)
      for (const port of ['tcp/443', 'tcp/5432', 'tcp/22'])
        for (const [method, path] of [
          ['GET', '/v1/x'],
          ['POST', '/admin'],
        ] as const)
          yield { from, to, port, method, path };
}
