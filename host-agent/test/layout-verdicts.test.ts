import type { CompiledPolicy, Flow } from '@edgeward/policy';
import fc from 'fast-check';
import t from 'tap';
import { decide, parseAddress, viewOf } from '../../policy/src/index.ts';
import { arbitraryDirectory, arbitraryFlow, NOW } from '../../policy/test/generators/documents.ts';
import { search } from '../../policy/test/runs.ts';
import { vectorFiles, vectorsOf } from '../../policy/test/vector-files.ts';
import { compileDocuments } from '../../test/kit/compiled-documents.ts';
import { carriersOf, pointOf } from '../../test/parity/vector-carriers.ts';
import { type FamilyLayout, type HostLayout, type HostOptions, hostLayout } from '../driver/layout/index.ts';
import { OPTIONS } from './fixtures/host-policies.ts';
import { fateOf } from './fixtures/layout-kernel.ts';

const published: HostOptions = { ...OPTIONS, publishedPorts: true };

/** What the kernel does with a new connection, in the words of a verdict; both hooks must say the same. */
function judgedBy(layout: HostLayout, { from, port }: Flow): string {
  const family = layout.families[parseAddress(from)?.length === 32 ? 'inet6' : 'inet'];
  const [protocol = '', number = ''] = port.split('/');
  const packet = { source: from, protocol, port: Number(number), mark: 0 };
  const said = [
    fateOf(family, 'INPUT', packet),
    fateOf(family, 'FORWARD', { ...packet, port: 1, originalPort: Number(number), states: ['NEW', 'DNAT'] }),
  ].map(({ end, samples }) => (samples.length === 0 ? `allow ${end}` : `deny ${end}`));
  return [...new Set(said)].join(' and ');
}

/** What it should do. */
function wantedOf(policy: CompiledPolicy, flow: Flow, options: HostOptions): string {
  const { verdict } = decide(viewOf(policy), flow);
  const mode = policy.objects[0]?.mode;
  if (mode !== 'enforce') return `${verdict} RETURN`;
  if (verdict === 'deny') return 'deny DROP';
  return options.verdict === 'exclusive' ? 'allow ACCEPT' : 'allow RETURN';
}

/** What holds of every layout, whatever the policy. */
function checkShape({ chains, hooks, sets }: FamilyLayout): void {
  const names = chains.map(({ name }) => name);
  const known = new Set<string>();
  const asked = new Set<string>();
  const fail = (what: string): never => {
    throw new Error(what);
  };
  if (new Set(names).size !== names.length) fail(`chains twice: ${names.join(' ')}`);
  for (const { name, rules } of chains) {
    for (const { args, hash } of rules) {
      if (!/^[0-9a-f]{12}$/.test(hash)) fail(`${name}: hash ${hash}`);
      for (const arg of args) if (!/^[A-Za-z0-9:|_.,/-]+$/.test(arg)) fail(`${name}: ${arg}`);
      const goal = args[args.indexOf('-g') + 1] ?? '';
      if (args.includes('-g') && !known.has(goal)) fail(`${name} goes to ${goal} before it is there`);
      if (args.includes('--match-set')) asked.add(args[args.indexOf('--match-set') + 1] ?? '');
      if ((args[args.indexOf('--nflog-prefix') + 1] ?? '').length > 60) fail(`${name}: a prefix too long`);
    }
    if (!/^EW-[A-Z-]+(?:-[0-9]{1,5})?$/.test(name) || name.length > 28) fail(`chain ${name}`);
    known.add(name);
  }
  for (const { target } of hooks) if (!known.has(target)) fail(`no chain ${target}`);
  const held = sets.map(({ name }) => name);
  if ([...asked].sort().join() !== held.join()) fail(`sets asked for: ${[...asked].join()}, and there: ${held.join()}`);
  for (const { name, members, maxelem } of sets) {
    if ([...new Set(members)].sort().join() !== members.join()) fail(`${name} is not sorted, or has some twice`);
    if (members.some((member) => /\/0(?:,|$)/.test(member))) fail(`${name} holds everyone`);
    if (!/^ew[46][np]-[0-9a-f]{16}$/.test(name) || maxelem < members.length * 2) fail(`set ${name}`);
  }
}

t.test('what stands in the kernel says of every vector what the vector says', async (t) => {
  let compared = 0;
  for (const vector of vectorFiles.flatMap(vectorsOf)) {
    const { policy: documents, now, connection, expect, name } = vector;
    const isHost = carriersOf(vector).length === 2 && carriersOf(vector).includes('host');
    if (!isHost) continue;
    const policy = compileDocuments(documents, { revision: 1, now, point: pointOf(vector) });
    const said = judgedBy(hostLayout(policy, published), connection);
    t.equal(said.split(' ')[0], expect.verdict, name);
    t.equal(said, wantedOf(policy, connection, published), name);
    compared += 1;
  }
  t.ok(compared > 30, `${compared} vectors`);
});

t.test('of any policy and any flow it says what decide says, to the host and through it', async (t) => {
  const arbitraryOptions: fc.Arbitrary<HostOptions> = fc.record({
    mark: fc.constantFrom(OPTIONS.mark, { mask: 0xffff_0000, shift: 16 }, null),
    verdict: fc.constantFrom('exclusive' as const, 'coexist' as const),
    publishedPorts: fc.constant(true),
  });
  const isHost = (document: unknown): boolean =>
    (document as { point?: string }).point?.startsWith('point-of-') === true;
  const asked = arbitraryDirectory()
    .filter((documents) => documents.some(isHost))
    .chain((documents) => {
      const behindNoBalancer = documents.filter((one) => (one as { kind: string }).kind !== 'VirtualServer');
      const flows = fc.array(arbitraryFlow(behindNoBalancer), { minLength: 10, maxLength: 30 });
      return fc.tuple(fc.constant(documents), flows, arbitraryOptions);
    });
  const tally: Record<string, number> = {};
  fc.assert(
    fc.property(asked, ([documents, flows, options]) => {
      for (const host of documents.filter(isHost) as { name: string; point: string }[]) {
        const policy = compileDocuments(documents, { revision: 3, now: NOW, point: host.point });
        const layout = hostLayout(policy, options);
        checkShape(layout.families.inet);
        checkShape(layout.families.inet6);
        for (const flow of flows.filter(({ to }) => to === host.name)) {
          const [said, wanted] = [judgedBy(layout, flow), wantedOf(policy, flow, options)];
          if (said !== wanted) throw new Error(`${flow.from} ${flow.to} ${flow.port}: ${said}, wanted ${wanted}`);
          tally[wanted] = (tally[wanted] ?? 0) + 1;
        }
      }
    }),
    search(t, 200),
  );
  t.comment(JSON.stringify(tally));
  for (const outcome of ['allow ACCEPT', 'allow RETURN', 'deny DROP', 'deny RETURN'])
    t.ok((tally[outcome] ?? 0) > 5, `${outcome}: ${tally[outcome]}`);
});
