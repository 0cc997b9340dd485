/** A record of attempts over the network, from its first entry: the chain, the signed checkpoint, what others have seen. */
import { type Checkpoint, LIMITS, type PublicKey, payloadOf, signersOf } from '@edgeward/policy-format';
import { messageOf } from '@edgeward/runtime';
import type { StoreClient } from '../client/store-client.ts';
import type { Problem } from './published-problems.ts';
import { createRecordChain, FIRST_PREV } from './record-chain.ts';

export interface RecordFound {
  checkpoint: Checkpoint;
  signed: Checkpoint | null;
  /** The trust root that it was signed under, where it says. */
  signedRoot: number | null;
  problems: Problem[];
}

const PAGE = 10_000;
const MAX_PROBLEMS = 1_000;
const CHECKPOINT_TYP = 'edgeward-checkpoint/1';

/** The checkpoint is asked for first: what is written meanwhile makes the record only longer. */
export async function verifyRemoteRecord(
  client: StoreClient,
  logKeys: readonly PublicKey[],
  witnesses: readonly Checkpoint[],
): Promise<RecordFound> {
  const problems: Problem[] = [];
  const shown = await client.checkpoint();
  const { checkpoint: signed = null, root: signedRoot = null } =
    (await signedCheckpoint(shown.signed, logKeys, problems)) ?? {};
  const expected = new Map<number, { hash: string; who: string }[]>();
  const expect = ({ size, hash }: Checkpoint, who: string): void => {
    expected.set(size, [...(expected.get(size) ?? []), { hash, who }]);
  };
  expect(shown, 'the store itself');
  if (signed !== null) expect(signed, 'the signed checkpoint');
  for (const witness of witnesses) expect(witness, 'a witness');
  const chain = createRecordChain(0);
  const compare = (): void => {
    for (const { hash, who } of expected.get(chain.size()) ?? [])
      if (hash !== chain.hash())
        problems.push({
          where: `record ${chain.size()}`,
          kind: 'contradicts',
          message: `${who} has seen another entry here, or another one before it`,
        });
    expected.delete(chain.size());
  };
  if (shown.size === 0 && shown.hash === FIRST_PREV) expected.delete(0);
  for (let more = true; more && problems.length < MAX_PROBLEMS; ) {
    const lines = await client.record(chain.size(), PAGE);
    for (const line of lines) {
      const { problem } = chain.take(line);
      if (problem !== null) problems.push({ where: `record ${chain.size()}`, kind: 'chain', message: problem });
      compare();
    }
    more = lines.length > 0;
  }
  for (const [size, seen] of expected)
    for (const { who } of seen)
      problems.push({
        where: `record ${size}`,
        kind: 'truncated',
        message: `${who} has seen ${size} entries, and ${chain.size()} are there`,
      });
  return { checkpoint: { size: chain.size(), hash: chain.hash() }, signed, signedRoot, problems };
}

async function signedCheckpoint(
  document: Parameters<typeof signersOf>[0] | null,
  logKeys: readonly PublicKey[],
  problems: Problem[],
): Promise<{ checkpoint: Checkpoint; root: number | null } | null> {
  const tell = (message: string): null => {
    problems.push({ where: 'record', kind: 'signature', message });
    return null;
  };
  if (document === null) return tell('there is no signed checkpoint');
  try {
    const payload = payloadOf(document, 'the checkpoint', LIMITS.headBytes) as Checkpoint & { root?: unknown };
    const { size, hash } = payload;
    const root = typeof payload.root === 'number' ? payload.root : null;
    if (!Number.isSafeInteger(size) || typeof hash !== 'string') return tell('the checkpoint has another form');
    const signers = await signersOf(document, CHECKPOINT_TYP, logKeys);
    return signers.size > 0 ? { checkpoint: { size, hash }, root } : tell('no log key has signed the checkpoint');
  } catch (thrown) {
    return tell(`the checkpoint can not be read: ${messageOf(thrown)}`);
  }
}
