/** Random directories and flows: every NGINX judges as the oracle does, and where one does not, a small case is told. */
import type { CompiledPolicy } from '@edgeward/policy';
import { requireNginx } from '@edgeward/test/kit';
import t from 'tap';
import { type Carrier, carrierKinds, startCarriers } from './nginx-carriers.ts';
import { createSeen, proveAsTheOracle, WrongJudge } from './nginx-property.ts';
import { runs, seed } from './random-runs.ts';

await requireNginx(t, ...new Set(carrierKinds.map(({ edition }) => edition)));

t.test('random directories and flows: every NGINX judges as the oracle does, and as Node', async (t) => {
  const carriers = await startCarriers(t);
  const chosen = seed();
  const directories = runs(60);
  const seen = createSeen();
  t.comment(`EDGEWARD_SEED=${chosen} repeats this run of ${directories} directories`);
  await proveAsTheOracle(carriers, seen, { seed: chosen, directories });
  t.comment(`${seen.pairs} pairs of a policy and a request`);
  for (const { name } of carriers) {
    const reasons = seen.by[name] ?? {};
    t.comment(`${name}: ${JSON.stringify(reasons)}`);
    const both = (reasons['allowed-by-rule'] ?? 0) > 0 && (reasons['unknown-source'] ?? 0) > 0;
    t.ok(both, `${name}: it came to allows and denials`);
  }
});

t.test('an NGINX that judges wrongly is found out, and by a case that is small', async (t) => {
  const [kind] = carrierKinds;
  if (kind === undefined) return;
  const [sound] = (await startCarriers(t, [kind])) as [Carrier];
  const faulty: Carrier = { ...sound, load: (policy) => sound.load(withoutDenials(policy)) };
  const thrown = await proveAsTheOracle([faulty], createSeen(), { seed: 7, directories: 300 }).catch((error) => error);
  if (!(thrown instanceof WrongJudge)) throw thrown ?? new Error('not found out');
  t.comment(thrown.message);
  const [documents, flows] = thrown.small;
  t.match(thrown.message, new RegExp(sound.name), 'who is wrong is told');
  t.equal(flows.length, 1, 'of one flow');
  t.strictSame(
    (documents as { kind: string }[]).map(({ kind }) => kind).sort(),
    ['Policy', 'VirtualServer'],
    'and a directory of which nothing can be left out',
  );
});

/** What denies allows. */
function withoutDenials(policy: CompiledPolicy): CompiledPolicy {
  const objects = policy.objects.map((object) => ({
    ...object,
    rules: object.rules.map((rule) => ({ ...rule, action: 'allow' as const })),
  }));
  return { ...policy, objects };
}
