import t from 'tap';
import {
  canonicalJson,
  digestOf,
  type SliceApproval,
  sliceApprovalOf,
  sliceTree,
  verifyApproval,
  verifySlice,
} from '../src/index.ts';
import { AT_MS, approvalBy, signedBy, trustWorld } from './trust-world.ts';

const world = await trustWorld();
const leaves = ['edge-1', 'edge-2', 'edge-3'].map((point) => ({ point, rulesDigest: digestOf(`rules of ${point}`) }));
const tree = sliceTree(leaves);
const approval = await signedBy(world, approvalBy('ana', { slices: { root: tree.root, count: tree.count } }), [
  'ana',
  'ben',
]);
const slice: SliceApproval = { approval, index: 1, path: tree.proof(1) };
const bytesOf = (value: unknown): Buffer => Buffer.from(canonicalJson(value));

const codeOf = (bytes: Uint8Array): string => {
  try {
    sliceApprovalOf(bytes);
    return 'accepted';
  } catch (thrown) {
    return (thrown as { code?: string }).code ?? String(thrown);
  }
};

t.test('a point learns from its blob that people approved its own slice, and no other', async (t) => {
  const read = sliceApprovalOf(bytesOf(slice));
  t.strictSame(read, slice);
  const { approval: verified } = await verifyApproval({
    document: read.approval,
    root: world.root,
    accepted: () => false,
    nowMs: AT_MS,
  });
  const [first, own] = leaves;
  if (first === undefined || own === undefined) throw new Error('three leaves');
  t.ok(verifySlice(verified.slices, { ...own, index: read.index, path: read.path }));
  t.notOk(verifySlice(verified.slices, { ...first, index: read.index, path: read.path }), 'the slice of a neighbour');
  t.notOk(verifySlice(verified.slices, { ...own, rulesDigest: first.rulesDigest, index: 0, path: read.path }));
});

t.test('the blob has one form', async (t) => {
  const text = canonicalJson(slice);
  const table: Record<string, [string, Uint8Array]> = {
    'white space': ['EDW_ERR_FORMAT_NOT_CANONICAL', Buffer.from(`${text}\n`)],
    'a key twice': ['EDW_ERR_FORMAT_NOT_CANONICAL', Buffer.from(text.replace('"index":1', '"index":0,"index":1'))],
    'an index in another spelling': [
      'EDW_ERR_FORMAT_NOT_CANONICAL',
      Buffer.from(text.replace('"index":1', '"index":1.0')),
    ],
    'a key more': ['EDW_ERR_FORMAT_APPROVAL', bytesOf({ ...slice, point: 'edge-2' })],
    'a key less': ['EDW_ERR_FORMAT_APPROVAL', bytesOf({ approval, index: 1 })],
    'no approval': ['EDW_ERR_FORMAT_SIGNED', bytesOf({ ...slice, approval: null })],
    'an approval that nobody could sign': ['EDW_ERR_FORMAT_SIGNED', bytesOf({ ...slice, approval: approvalBy('ana') })],
    'a negative index': ['EDW_ERR_FORMAT_APPROVAL', bytesOf({ ...slice, index: -1 })],
    'half an index': ['EDW_ERR_FORMAT_APPROVAL', bytesOf({ ...slice, index: 1.5 })],
    'a path that is none': ['EDW_ERR_FORMAT_APPROVAL', bytesOf({ ...slice, path: ['../x'] })],
    'an endless path': [
      'EDW_ERR_FORMAT_APPROVAL',
      bytesOf({ ...slice, path: Array.from({ length: 65 }, () => tree.root) }),
    ],
    'a list': ['EDW_ERR_FORMAT_APPROVAL', bytesOf([slice])],
    'a megabyte': ['EDW_ERR_FORMAT_TOO_LARGE', bytesOf('x'.repeat(1_000_000))],
    'deep nesting': ['EDW_ERR_FORMAT_DEPTH', Buffer.from('['.repeat(30_000) + ']'.repeat(30_000))],
    nothing: ['EDW_ERR_FORMAT_NOT_CANONICAL', Buffer.alloc(0)],
  };
  for (const [name, [code, bytes]] of Object.entries(table)) t.equal(codeOf(bytes), code, name);
});

t.test('a blob of as many points as there may be, signed by as many as may sign, fits its bound', async (t) => {
  const signatures = Array.from({ length: 64 }, () => approval.signatures[0]);
  const longest = approvalBy('ana', { reason: '\u{1f600}'.repeat(500) });
  const payload = Buffer.from(canonicalJson(longest)).toString('base64url');
  const path = Array.from({ length: 64 }, () => tree.root);
  t.equal(codeOf(bytesOf({ approval: { payload, signatures }, index: 1, path })), 'accepted');
});
