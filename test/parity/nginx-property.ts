/**
 * The property that random directories and flows are held to: every carrier says what the oracle says, which shares no line
 * with it, and so does `decide` in Node. What the oracle denies never passes; what it allows passes, or is refused by NGINX
 * itself for a reason that is listed.
 */
import { type CompiledPolicy, type Flow, parseAddress } from '@edgeward/policy';
import { compileDocuments } from '@edgeward/test/kit';
import fc from 'fast-check';
import { compileDocuments as judgeInNode } from '../../policy/test/compiled.ts';
import { arbitraryDirectory, arbitraryFlow, NOW } from '../../policy/test/generators/documents.ts';
import { oracle } from '../../policy/test/oracle/oracle.ts';
import { mergedFlow, mergedPolicy } from './merged-policy.ts';
import { answerOf, wantedAnswer } from './nginx-answer.ts';
import type { Carrier, CarrierKind } from './nginx-carriers.ts';
import { nginxRefuses } from './server-refusals.ts';
import { smallestCase } from './smallest-case.ts';

export type Asked = [documents: unknown[], flows: Flow[]];

/** Reasons and refusals by carrier, and how many pairs there were. */
export interface Seen {
  pairs: number;
  by: Record<string, Record<string, number>>;
}

interface Loose {
  kind: string;
  name: string;
  point?: string;
  protocol?: string;
}

const MOST_FLOWS = 6;
/** Directories that an NGINX is given at once. */
const MOST_AT_ONCE = 60;

export class WrongJudge extends Error {
  readonly small: Asked;

  constructor(message: string, small: Asked) {
    super(message);
    this.small = small;
  }
}

export const createSeen = (): Seen => ({ pairs: 0, by: {} });

/** Told by an error: which carrier said what of a case that is as small as it can be made. */
export async function proveAsTheOracle(
  carriers: readonly Carrier[],
  seen: Seen,
  of: { seed: number; directories: number },
): Promise<void> {
  const arbitrary = arbitraryAsked(transportsOf(carriers));
  for (let done = 0; done < of.directories; done += MOST_AT_ONCE) {
    const numRuns = Math.min(MOST_AT_ONCE, of.directories - done);
    const cases = fc.sample(arbitrary, { seed: of.seed + done, numRuns });
    seen.pairs += cases.reduce((sum, [, flows]) => sum + flows.length, 0);
    const wrong = await firstWrong(carriers, cases, seen);
    if (wrong !== null) throw await smallest(carriers, wrong);
  }
}

async function smallest(carriers: readonly Carrier[], wrong: Wrong): Promise<WrongJudge> {
  const small = await smallestCase(wrong.asked, (one) => isWrong(carriers, one));
  const { problem } = (await firstWrong(carriers, [small], createSeen())) ?? wrong;
  return new WrongJudge(`${problem}\nof ${JSON.stringify(small[0])}`, small);
}

/** Something that is no directory any more, or no flow, is not wrong. */
async function isWrong(carriers: readonly Carrier[], asked: Asked): Promise<boolean> {
  const [, flows = []] = asked as Partial<Asked>;
  const isFlow = ({ from, to, port }: Partial<Flow>): boolean =>
    [from, to, port].every((part) => typeof part === 'string');
  if (flows.length === 0 || !flows.every(isFlow)) return false;
  return firstWrong(carriers, [asked], createSeen()).then(
    (wrong) => wrong !== null,
    () => false,
  );
}

interface Wrong {
  asked: Asked;
  problem: string;
}

/** What one of them said that is not what the oracle says, or null. */
async function firstWrong(carriers: readonly Carrier[], cases: readonly Asked[], seen: Seen): Promise<Wrong | null> {
  const compiled = cases.map(([documents]) => compileDocuments(documents, { revision: 0, now: NOW }));
  for (const asked of cases) {
    const problem = wrongInNode(asked);
    if (problem !== null) return { asked, problem };
  }
  const policy = mergedPolicy(compiled);
  const each = await Promise.allSettled(carriers.map((carrier) => judgeAll(carrier, { cases, policy }, seen)));
  for (const outcome of each) {
    if (outcome.status === 'rejected') throw outcome.reason;
    if (outcome.value !== null) return outcome.value;
  }
  return null;
}

function wrongInNode([documents, flows]: Asked): string | null {
  const node = judgeInNode(documents, NOW);
  for (const flow of flows) {
    const { verdict, reason, rule } = node.decide(flow);
    const problem = difference('Node', flow, { verdict, reason, rule }, oracle(documents, NOW, flow));
    if (problem !== null) return problem;
  }
  return null;
}

function transportsOf(carriers: readonly Carrier[]): CarrierKind['transport'][] {
  return [...new Set(carriers.map(({ kind }) => kind.transport))];
}

/** Directories with an object that one of these can carry, and flows that one of them can carry. */
function arbitraryAsked(transports: readonly CarrierKind['transport'][]): fc.Arbitrary<Asked> {
  const some = (documents: unknown[], flow: Flow): boolean => transports.some((one) => carries(one, documents, flow));
  return arbitraryDirectory()
    .filter((documents) => transports.some((transport) => hasObject(transport, documents)))
    .chain((documents) => {
      const flow = arbitraryFlow(documents).filter((one) => some(documents, one));
      const flows = fc.array(flow, { minLength: 1, maxLength: MOST_FLOWS, size: 'max' });
      return fc.tuple(fc.constant(documents), flows);
    });
}

async function judgeAll(
  carrier: Carrier,
  { cases, policy }: { cases: readonly Asked[]; policy: CompiledPolicy },
  seen: Seen,
): Promise<Wrong | null> {
  const revision = await carrier.load(policy);
  for (const [at, asked] of cases.entries()) {
    const [documents, flows] = asked;
    for (const flow of flows.filter((one) => carries(carrier.kind.transport, documents, one))) {
      const problem = await wrongAt(carrier, { flow: mergedFlow(at, flow), policy, revision }, seen, () =>
        oracle(documents, NOW, flow),
      );
      if (problem !== null) return { asked, problem };
    }
  }
  return null;
}

async function wrongAt(
  carrier: Carrier,
  { flow, policy, revision }: { flow: Flow; policy: CompiledPolicy; revision: number },
  seen: Seen,
  expected: () => ReturnType<typeof oracle>,
): Promise<string | null> {
  const judged = await carrier.judge(flow);
  if (judged.refusedByServer) {
    tally(seen, carrier, 'refused by NGINX');
    if (nginxRefuses(flow, carrier.nginxVersion)) return null;
    return difference(carrier.name, flow, judged, 'no refusal but those that are listed');
  }
  const expect = expected();
  tally(seen, carrier, expect.reason);
  return difference(carrier.name, flow, answerOf(judged), wantedAnswer(policy, flow, expect, revision));
}

/** Objects of another kind of point are none here, and what is asked over UDP never comes. */
function carries(transport: CarrierKind['transport'], documents: unknown[], flow: Flow): boolean {
  // NGINX reads 255.255.255.255 as no address (INADDR_NONE), however it is written; no TCP peer has it.
  if (!flow.port.startsWith('tcp/') || parseAddress(flow.from) === 'ffffffff') return false;
  const object = (documents as Loose[]).find(
    ({ kind, name, point }) => name === flow.to && (kind === 'VirtualServer' || point !== undefined),
  );
  return object === undefined || (object.kind === 'VirtualServer' && isOf(transport, object));
}

function hasObject(transport: CarrierKind['transport'], documents: unknown[]): boolean {
  return (documents as Loose[]).some((one) => one.kind === 'VirtualServer' && isOf(transport, one));
}

function isOf(transport: CarrierKind['transport'], { protocol }: Loose): boolean {
  return (protocol === 'tcp') === (transport === 'stream');
}

function tally({ by }: Seen, { name }: Carrier, reason: string): void {
  by[name] ??= {};
  by[name][reason] = (by[name][reason] ?? 0) + 1;
}

function difference(who: string, flow: Flow, found: unknown, wanted: unknown): string | null {
  if (JSON.stringify(found) === JSON.stringify(wanted)) return null;
  return `${who} judges otherwise: ${JSON.stringify({ flow, found, wanted })}`;
}
