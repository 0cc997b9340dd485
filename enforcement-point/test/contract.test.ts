import t from 'tap';
import { type ContractTest, contractTest } from '../src/contract-test.ts';
import { makeMemoryFixture, type Saboteur } from './fixtures/memory-point.ts';

/** Runs the contract and tells which clauses failed, without failing itself. */
async function failedClauses(saboteur: Saboteur | null): Promise<string[]> {
  const failed = new Set<string>();
  const teardowns: (() => Promise<void>)[] = [];
  const testOf = (clause: string): ContractTest => ({
    async test(name, body) {
      try {
        await body(testOf(name));
      } catch {
        failed.add(name);
      }
    },
    ok(found) {
      if (!found) failed.add(clause);
    },
    strictSame(found, wanted) {
      if (JSON.stringify(found) !== JSON.stringify(wanted)) failed.add(clause);
    },
    teardown(run) {
      teardowns.push(run);
    },
  });
  await contractTest(testOf(''), () => makeMemoryFixture(saboteur));
  for (const run of teardowns) await run();
  return [...failed];
}

t.test('a sound point passes', (t) => contractTest(t, () => makeMemoryFixture()));

t.test('every clause is failed by the saboteur who breaks it', async (t) => {
  const table: [Saboteur, RegExp][] = [
    ['inspect-writes', /^inspect tells/],
    ['always-writes', /^applying twice/],
    ['leaves-old-objects', /^B after A/],
    ['clears-foreign', /^foreign objects/],
    ['switches-first', /^killed at every step/],
    ['resumes-half', /^killed at every step/],
    ['takes-halves-for-drift', /^killed at every step/],
    ['uncoded-unreachable', /^an unreachable point/],
    ['accepts-older', /^an older revision/],
    ['trusts-its-memory', /^drift made/],
    ['blind-to-drift', /^drift made/],
    ['restart-unnoticed', /^after a restart/],
  ];
  const seen = new Set<string>();
  for (const [saboteur, clause] of table) {
    const failed = await failedClauses(saboteur);
    const hit = failed.find((claim) => clause.test(claim));
    t.ok(hit, `${saboteur}: ${failed.join(' | ')}`);
    if (hit !== undefined) seen.add(hit);
  }
  const claims: string[] = [];
  const listing: ContractTest = {
    test: async (name) => void claims.push(name),
    ok: () => {},
    strictSame: () => {},
    teardown: () => {},
  };
  await contractTest(listing, () => makeMemoryFixture());
  t.strictSame([...seen].toSorted(), claims.toSorted(), 'no clause is without its saboteur');
  t.strictSame(await failedClauses(null), [], 'and the sound point fails none in the same harness');
});
