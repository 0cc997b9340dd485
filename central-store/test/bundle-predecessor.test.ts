import {
  type Digest,
  digestOfPayload,
  digestOfRoot,
  generateSigningKey,
  type SignedDocument,
  type SigningKey,
  sign,
  type TrustRoot,
  trustRootOf,
} from '@edgeward/policy-format';
import t from 'tap';
import { type Bundle, computeApprovalPayload, type PublishedChain, verifyPredecessor } from '../src/index.ts';
import { bundle, CRM, FRONT, HOUR_MS, PLAIN, policy, START_MS } from './decisions/world.ts';

const OPEN = bundle(FRONT, policy(CRM, { ...CRM, id: 'all', from: [{ any: true }] }));
const LATER_MS = START_MS + 1000 * HOUR_MS;

interface Roots {
  first: TrustRoot;
  /** Without the author and one approver of the first. */
  second: TrustRoot;
  keys: Record<'ada' | 'carl' | 'cleo' | 'dan', SigningKey>;
}

async function twoRoots(): Promise<Roots> {
  const [ada, carl, cleo, dan, store, log] = await Promise.all(Array.from({ length: 6 }, () => generateSigningKey()));
  if (!ada || !carl || !cleo || !dan || !store || !log) throw new Error('six keys were made');
  const person = (name: string, role: 'author' | 'approver', key: SigningKey): TrustRoot['people'][number] => {
    return { name, roles: [role], keys: [key.publicKey] };
  };
  const common = {
    typ: 'edgeward-root/1',
    store: '0'.repeat(32),
    epoch: 1,
    issuedAt: new Date(START_MS).toISOString(),
    thresholds: { normal: 1, elevated: 1, root: 1, breakGlassHours: 4 },
    storeKeys: [store.publicKey],
    logKeys: [log.publicKey],
  };
  const stays = [person('dan', 'approver', dan), person('carl', 'author', carl)];
  const leaving = [person('ada', 'author', ada), person('cleo', 'approver', cleo)];
  const first = trustRootOf({ ...common, version: 1, previous: null, people: [...leaving, ...stays] });
  const second = trustRootOf({ ...common, version: 2, previous: digestOfRoot(first), people: stays });
  return { first, second, keys: { ada, carl, cleo, dan } };
}

async function approved(root: TrustRoot, it: Bundle, author: string, keys: SigningKey[]): Promise<SignedDocument> {
  const input = { bundle: it, previous: null, root, proposedBy: author, reason: 'CHG-1', nowMs: START_MS };
  return await sign(computeApprovalPayload(input).payload, keys);
}

t.test('keys that were taken from people make no predecessor, unless it was seen before', async (t) => {
  const { first, second, keys } = await twoRoots();
  const gone = await approved(first, OPEN, 'ada', [keys.ada, keys.cleo]);
  const half = await approved(first, OPEN, 'carl', [keys.carl, keys.cleo]);
  const stays = await approved(first, OPEN, 'carl', [keys.carl, keys.dan]);
  const now = await approved(second, OPEN, 'carl', [keys.carl, keys.dan]);
  const roots = [first, second];
  const both = (version: number): TrustRoot | null => roots[version - 1] ?? null;
  const isGone = (digest: Digest): boolean => digest === digestOfPayload(gone);
  const refused = 'EDW_ERR_APPROVAL_UNCONFIRMED';
  const table: { name: string; it: SignedDocument; chain?: Partial<PublishedChain>; code?: string }[] = [
    { name: 'under the newest root', it: now },
    { name: 'before anybody left', it: gone, chain: { rootAt: (version) => (version === 1 ? first : null) } },
    { name: 'by people who stayed', it: stays },
    { name: 'by people who left', it: gone, code: refused },
    { name: 'by one who left', it: half, code: refused },
    { name: 'seen before', it: gone, chain: { seen: isGone } },
    { name: 'another was seen before', it: half, chain: { seen: isGone }, code: refused },
    {
      name: 'seen, and signed by too few even then',
      it: { ...gone, signatures: gone.signatures.slice(0, 1) },
      chain: { seen: () => true },
      code: 'EDW_ERR_APPROVAL_',
    },
  ];
  for (const { name, it, chain, code } of table) {
    const input = { approvals: [it], bundle: OPEN.bytes, rootAt: both, nowMs: LATER_MS, ...chain };
    if (code === undefined) t.match(await verifyPredecessor(input), { digest: digestOfPayload(it) }, name);
    else await t.rejects(verifyPredecessor(input), { code: new RegExp(code) }, name);
  }
});

t.test('who has to confirm a version is told its digest', async (t) => {
  const { first, second, keys } = await twoRoots();
  const gone = await approved(first, PLAIN, 'ada', [keys.ada, keys.cleo]);
  const rootAt = (version: number): TrustRoot | null => [first, second][version - 1] ?? null;
  const chain = { approvals: [gone], bundle: PLAIN.bytes, rootAt, nowMs: LATER_MS };
  await t.rejects(verifyPredecessor(chain), { message: new RegExp(digestOfPayload(gone)), mend: /64 digits/ });
});
