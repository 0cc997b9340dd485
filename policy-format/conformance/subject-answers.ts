/** What this implementation says to each request of the conformance run; see `README.md`. */
import {
  type Accepted,
  acceptDelta,
  acceptHead,
  createMemberBook,
  deltaFrom,
  digestOf,
  effectiveRules,
  type Floor,
  LIMITS,
  Nacked,
  type PointState,
  parseCanonical,
  requiredFeatures,
  restoreState,
  rulesBytes,
  rulesOf,
  signedDocumentOf,
  stateBlobs,
  type TrustRoot,
  verifyFirstRoot,
} from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';

type Fields = Record<string, unknown>;

interface Point {
  name: string;
  root: TrustRoot;
  floor: Floor | null;
  state: PointState | null;
}

const HEAD_WIRE_BYTES = 2 * LIMITS.headBytes + 4096;
const ROOT_WIRE_BYTES = 2 * LIMITS.rootBytes;

export function answerer(): (request: unknown) => Promise<Fields> {
  let point: Point | null = null;
  const known = (): Point => {
    if (point === null) throw new Error('a run begins with `begin`');
    return point;
  };
  return async (request) => {
    const asked = request as Fields;
    const id = asked.id;
    try {
      if (asked.do === 'begin') point = begin(asked);
      return { id, accept: asked.do === 'begin' ? { root: known().root.version } : await answerTo(asked, known) };
    } catch (thrown) {
      return { id, ...refusalIn(thrown, String(asked.do)) };
    }
  };
}

function refusalIn(thrown: unknown, what: string): Fields {
  if (thrown instanceof Nacked) return { stage: thrown.stage, code: thrown.code };
  if (!(thrown instanceof EdgewardError)) throw thrown;
  // Bytes that are no head and no delta are refused before anything in them is looked at.
  const stage = what === 'head' || what === 'delta' ? 'head' : what === 'begin' ? 'root' : 'format';
  return { stage, code: thrown.code };
}

async function answerTo(asked: Fields, known: () => Point): Promise<Fields> {
  switch (asked.do) {
    case 'head':
      return takeHead(asked, known());
    case 'delta':
      return takeDelta(asked, known());
    case 'in-force':
      return inForce(asked, known());
    case 'restart':
      return restart(asked, known());
    case 'canonical':
      parseCanonical(bytesIn(asked.bytes), 'it', Number(asked.maxBytes));
      return {};
    case 'rules':
      return { requires: requiredFeatures(rulesOf(bytesIn(asked.bytes), String(asked.point))) };
    case 'members':
      return pagesOf(asked.members as Record<string, string[]>);
    default:
      throw new Error(`what is '${String(asked.do)}'?`);
  }
}

function begin(asked: Fields): Point {
  const root = verifyFirstRoot(parseCanonical(bytesIn(asked.root), 'the trust root', ROOT_WIRE_BYTES));
  return { name: String(asked.point), root, floor: null, state: null };
}

async function takeHead(asked: Fields, point: Point): Promise<Fields> {
  const head = signedDocumentOf(parseCanonical(bytesIn(asked.bytes), 'the head', HEAD_WIRE_BYTES));
  return take(point, await acceptHead({ ...taskOf(asked, point), head }));
}

async function takeDelta(asked: Fields, point: Point): Promise<Fields> {
  const known = point.state;
  if (known === null) throw new Error('a delta needs a state');
  const delta = deltaFrom(bytesIn(asked.bytes));
  return take(point, await acceptDelta({ ...taskOf(asked, point), known, delta }));
}

function taskOf(asked: Fields, point: Point): Omit<Parameters<typeof acceptHead>[0], 'head'> {
  const blobs = asked.blobs as Record<string, string>;
  const roots = (asked.roots ?? {}) as Record<string, string>;
  return {
    point: point.name,
    known: point.state,
    floor: point.floor,
    root: point.root,
    nowMs: Number(asked.nowMs),
    fetch: {
      blob: async (digest) => {
        const found = blobs[digest];
        return found === undefined ? null : bytesIn(found);
      },
      root: async (version) => {
        const found = roots[String(version)];
        return found === undefined ? null : parseCanonical(bytesIn(found), 'the trust root', ROOT_WIRE_BYTES);
      },
      keepRoot: async (_document, root) => {
        point.root = root;
      },
    },
  };
}

function take(point: Point, { state, floor }: Accepted): Fields {
  point.state = state;
  point.floor = floor;
  return seen(state);
}

function seen({ head, approval, book }: PointState): Fields {
  const { epoch, revision, stateRoot } = head;
  const members = Object.fromEntries([...book.groups()].map((group) => [group, book.members(group)]));
  return { epoch, revision, stateRoot, version: approval.approval.version, members };
}

function inForce(asked: Fields, { state }: Point): Fields {
  if (state === null) throw new Error('nothing is in force');
  const { rules, approval, untilMs } = effectiveRules(state, Number(asked.nowMs));
  return { rules: digestOf(rulesBytes(rules)), version: approval.approval.version, untilMs };
}

/** The same process with nothing but what was kept; or with the state lost, and the floor and the trust roots kept. */
async function restart(asked: Fields, point: Point): Promise<Fields> {
  const kept = point.state;
  point.state = null;
  if (asked.lose === 'state' || kept === null) return {};
  const { name, floor, root } = point;
  const blobs = new Map([...stateBlobs(kept)].map((it) => [it.digest, it.bytes()]));
  const blob = async (digest: string): Promise<Uint8Array | null> => blobs.get(digest) ?? null;
  const head = kept.signedHead;
  return take(point, await restoreState({ point: name, head, floor, root, blob, nowMs: Number(asked.nowMs) }));
}

function pagesOf(members: Record<string, string[]>): Fields {
  const book = createMemberBook(Object.entries(members));
  const pages = Array.from({ length: book.pageCount }, (_, number) => book.page(number).digest);
  return { index: book.index().digest, pages };
}

function bytesIn(base64: unknown): Buffer {
  return Buffer.from(String(base64), 'base64');
}
