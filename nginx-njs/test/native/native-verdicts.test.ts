/**
 * What NGINX says of a flow by its own `geo` and `map` alone is what `decide` says of it. Random directories stand side
 * by side in one NGINX, each object under a name of its own.
 */
import { type CompiledPolicy, decide, type Flow, type Verdict, viewOf } from '@edgeward/policy';
import { compileDocuments, requireNginx } from '@edgeward/test/kit';
import fc from 'fast-check';
import t from 'tap';
import { arbitraryDirectory, arbitraryFlow, NOW } from '../../../policy/test/generators/documents.ts';
import { runs, seed } from '../../../test/parity/random-runs.ts';
import { nativeRefusals, nativeSnapshot } from '../../driver/native/index.ts';
import { startNativeEcho } from './native-echo.ts';

interface Case {
  policy: CompiledPolicy;
  flows: Flow[];
}

const FLOWS = 8;
const chosen = seed();
const directories = runs(60);

/** NGINX can't tell it from a client on a unix socket; no TCP peer has it. */
const isBroadcast = (from: string): boolean => /255\.255\.255\.255$|:ffff:ffff:ffff$|^::ffff:ffff:ffff$/i.test(from);

await requireNginx(t, 'debian-13');

t.test('every verdict, with reason and rule, over http and over plain connections', async (t) => {
  const cases = someCases().map(({ policy, flows }) => ({ policy: sayable(policy), flows }));
  const all = together(cases);
  const echo = await startNativeEcho(t, (folder) =>
    nativeSnapshot(all, { generation: 'g1', folder, answers: 'every' }),
  );
  const seen: Record<string, number> = {};
  for (const [i, { policy, flows }] of cases.entries()) {
    for (const flow of flows) {
      const wanted = decide(viewOf(policy), flow);
      const object = policy.objects.find(({ name }) => name === flow.to);
      const asked = object?.protocol === 'tcp' ? echo.stream : echo.http;
      const answer = await asked({ ...flow, to: `d${i}-${flow.to}` });
      const found = answer.split('|')[0];
      count(seen, wanted);
      if (found !== wordsOf(wanted)) t.fail(`${JSON.stringify({ flow, wanted })}: ${found}`);
    }
  }
  t.comment(JSON.stringify(seen));
  t.ok((seen['allowed-by-rule'] ?? 0) > 0 && (seen['port-not-allowed'] ?? 0) > 0, 'it came to allows and denials');
});

t.test('what may be let in without asking, and nothing of what may not', async (t) => {
  const cases = someCases();
  const all = together(cases);
  const echo = await startNativeEcho(t, (folder) =>
    nativeSnapshot(all, { generation: 'g1', folder, answers: 'allow' }),
  );
  let said = 0;
  let asked = 0;
  for (const [i, { policy, flows }] of cases.entries()) {
    for (const flow of flows) {
      const object = policy.objects.find(({ name }) => name === flow.to);
      if (object?.protocol === 'tcp') continue;
      const wanted = decide(viewOf(policy), flow).verdict;
      const found = (await echo.http({ ...flow, to: `d${i}-${flow.to}` })).split('|')[0];
      if (found === 'allow') said += 1;
      else asked += 1;
      if (found !== '' && found !== wanted) t.fail(`${JSON.stringify({ flow, wanted })}: ${found}`);
      const plain = object !== undefined && nativeRefusals({ ...policy, objects: [object] }).length === 0;
      if (plain && wanted === 'allow' && found !== 'allow') t.fail(`asked in vain: ${JSON.stringify(flow)}`);
    }
  }
  t.comment(`${said} said, ${asked} asked`);
  t.ok(said > 0 && asked > 0, 'it came to both');
});

function someCases(): Case[] {
  t.comment(`EDGEWARD_SEED=${chosen} repeats this run; ${directories} directories of ${FLOWS} flows`);
  const one = arbitraryDirectory().chain((documents) => {
    const flow = arbitraryFlow(documents).filter(({ port, from }) => port.startsWith('tcp/') && !isBroadcast(from));
    return fc.tuple(fc.constant(documents), fc.array(flow, { minLength: FLOWS, maxLength: FLOWS }));
  });
  return fc.sample(one, { seed: chosen, numRuns: directories }).map(([documents, flows]) => {
    const policy = compileDocuments(documents, { revision: 7, now: NOW });
    const servers = policy.objects.filter(({ kind }) => kind === 'virtual-server');
    // NGINX reads what is no method by itself, and a request line as a request.
    return { policy: { ...policy, objects: servers }, flows: flows.map(({ from, to, port }) => ({ from, to, port })) };
  });
}

/** The same sources and ports, without what has no native form. */
function sayable(policy: CompiledPolicy): CompiledPolicy {
  const objects = policy.objects.map((object) => ({
    ...object,
    trustedProxies: null,
    rules: object.rules.map((rule) => ({ ...rule, http: null })),
  }));
  return { ...policy, objects };
}

function together(cases: Case[]): CompiledPolicy {
  const objects = cases.flatMap(({ policy }, i) =>
    policy.objects.map((object) => ({ ...object, name: `d${i}-${object.name}`, bind: `d${i}-${object.name}` })),
  );
  return { format: 1, point: 'edge-1', revision: 7, hash: 'f'.repeat(64), objects };
}

function count(seen: Record<string, number>, { reason }: Verdict): void {
  seen[reason] = (seen[reason] ?? 0) + 1;
}

function wordsOf({ verdict, reason, rule }: Verdict): string {
  return `${verdict} ${reason} ${rule ?? '-'}`;
}
