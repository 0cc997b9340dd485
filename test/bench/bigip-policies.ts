/**
 * Compiled policies of any size for a BIG-IP, made without compiling: a million documents would be what is measured. Each
 * object has a set of its own of single addresses that lie apart, so that each is a record. Addresses are packed one small
 * piece after the other, and never stand in a list as a whole.
 */
import { createHash } from 'node:crypto';
import { type CompiledObject, type CompiledPolicy, type IntervalTable, type Labelled, pack } from '@edgeward/policy';

export interface PolicyOrder {
  revision: number;
  objects: ObjectOrder[];
}

export interface ObjectOrder {
  /** Full path of its virtual server, which is its name too. */
  name: string;
  /** Different numbers have different sets. */
  set: number;
  family: 4 | 6;
  /** Records of its ip group. */
  records: number;
  protocol: 'http' | 'tcp';
  mode: 'enforce' | 'observe';
  /** What its rules allow. */
  path: string;
  /** The set lies among trusted proxies. */
  proxies: boolean;
}

export const BENCH_POINT = 'bigip-1';

/** Rules of an object, and classes: the first address has the first rule, the next the next, around. */
const RULES = 4;
/** Between two addresses, as in the estate of `scale`: of each /24 about 6 are taken. */
const STRIDE = 42;

export function policyOf({ revision, objects }: PolicyOrder): CompiledPolicy {
  const compiled = objects.map(objectOf);
  const hash = digestOf(compiled.map(({ name, hash: own }) => [name, own]));
  return { format: 1, point: BENCH_POINT, revision, hash, objects: compiled };
}

/** The address of this place in the set. */
export function addressKey({ family, set }: Pick<ObjectOrder, 'family' | 'set'>, place: number): string {
  // A /6 of IPv4 for each set, one half of which a million addresses fill; of IPv6 a /64 each, all in one /48.
  const within = place * STRIDE;
  if (family === 4) return (0x10000000 + set * 0x04000000 + within).toString(16).padStart(8, '0');
  return `20010db80000${set.toString(16).padStart(4, '0')}${within.toString(16).padStart(16, '0')}`;
}

function objectOf(order: ObjectOrder): CompiledObject {
  const { name, mode, protocol, path, records } = order;
  return {
    name,
    // The order says everything that the object holds; its JSON would be another copy of all addresses.
    hash: digestOf(order),
    bind: name,
    kind: 'virtual-server',
    protocol,
    mode,
    ports: [{ protocol: 'tcp', from: 443, to: 443 }],
    trustedProxies: order.proxies ? proxiesAmong(order) : null,
    failsafe: null,
    rules: Array.from({ length: RULES }, (_, rule) => ({
      id: `r-${rule}`,
      action: 'allow',
      ports: null,
      http: protocol === 'http' ? [{ methods: ['GET'], path: rule === 0 ? path : `/v${rule}/*` }] : null,
    })),
    classes: Array.from({ length: RULES }, (_, rule) => [rule]),
    sources: tableOf(order, records),
  };
}

function tableOf(order: ObjectOrder, records: number): IntervalTable {
  const table: IntervalTable = {};
  let piece: Labelled[] = [];
  for (let place = 0; place < records; place += 1) {
    const lo = addressKey(order, place);
    if (piece[0] !== undefined && mayCut(piece[0].lo, lo, records - place)) {
      Object.assign(table, pack(piece));
      piece = [];
    }
    piece.push({ lo, hi: lo, value: place % RULES });
  }
  return Object.assign(table, pack(piece));
}

/**
 * Pieces must not share a bucket with records. Of IPv4 those of the first level are apart. Of IPv6 all share the upper ones,
 * which hold nothing but the mark of a branch as long as each piece has some hundreds of addresses.
 */
function mayCut(first: string, next: string, left: number): boolean {
  const digits = first.length === 8 ? 4 : 28;
  return first.slice(0, digits) !== next.slice(0, digits) && (digits === 4 || left >= 1000);
}

/** Four times 16 addresses, each with one of the set or none. */
function proxiesAmong(order: ObjectOrder): IntervalTable {
  const blocks = [0, 1, 2, 3].map((block) => {
    const stem = addressKey(order, block * 3).slice(0, -1);
    return { lo: `${stem}0`, hi: `${stem}f`, value: 0 };
  });
  return pack(blocks);
}

function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
