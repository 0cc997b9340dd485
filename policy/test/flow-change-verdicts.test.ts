/** A change of policy against verdicts: nothing that changes is left out, and nothing is told that does not. */
import assert from 'node:assert/strict';
import {
  type ChangedSource,
  type Flow,
  type FlowChange,
  type FlowSide,
  flowChanges,
  type LoadedPolicy,
  type ObjectFlowChanges,
  type Request,
  viewOf,
} from '@edgeward/policy';
import fc from 'fast-check';
import t from 'tap';
import { parseAddress, parseCidr } from '../src/address.ts';
import { decide } from '../src/decide.ts';
import { compareKeys } from '../src/interval.ts';
import { parsePort, parsePortRange } from '../src/ports.ts';
import { plainRequest } from '../src/request.ts';
import { compareRequests } from '../src/request-pattern.ts';
import { arbitraryEdits, edited } from './edits.ts';
import { EVERYTHING, sideOf } from './flow-sides.ts';
import { arbitraryDirectory, arbitraryFlow } from './generators/documents.ts';
import { search } from './runs.ts';

interface Judged {
  before: { view: LoadedPolicy; object: string } | null;
  after: { view: LoadedPolicy; object: string } | null;
  change: ObjectFlowChanges | null;
}

/** Every object of either side by what its point calls it. */
function judgedOf(before: FlowSide | null, after: FlowSide): Judged[] {
  const { points } = flowChanges(before, after, EVERYTHING);
  const judged = new Map<string, Judged>();
  for (const side of ['before', 'after'] as const) {
    for (const compiled of (side === 'before' ? before : after)?.policies ?? []) {
      const view = viewOf(compiled);
      for (const { bind, name } of compiled.objects) {
        const key = `${compiled.point} ${bind}`;
        const change = points.find(({ point }) => point === compiled.point)?.objects.find((it) => it.bind === bind);
        const known = judged.get(key) ?? { before: null, after: null, change: change ?? null };
        judged.set(key, { ...known, [side]: { view, object: name } });
      }
    }
  }
  return [...judged.values()];
}

const allows = (side: Judged['before'], flow: Flow): boolean =>
  side !== null && decide(side.view, { ...flow, to: side.object }).verdict === 'allow';

function holds(source: ChangedSource, address: string): boolean {
  const key = parseAddress(address) ?? '';
  return source.ranges.examples.some((text) => {
    const [first = '', last] = text.split('-');
    const one = parseCidr(first);
    if (one === null || one === 'host-bits') return false;
    const hi = last === undefined ? one.hi : endOf(one.lo, parseAddress(last) ?? '');
    return key.length === hi.length && compareKeys(one.lo, key) <= 0 && compareKeys(key, hi) <= 0;
  });
}

/** `::ffff:ffff:ffff` is an address of IPv4, but for a range of IPv6 that ends there. */
const endOf = (first: string, last: string): string =>
  first.length > last.length ? `${'ffff'.padStart(first.length - last.length, '0')}${last}` : last;

function tells(changes: readonly FlowChange[], flow: Flow, judgesRequests: boolean): boolean {
  const request = judgesRequests
    ? plainRequest(flow.method, flow.path, flow.host)
    : { method: '', path: '/', host: null };
  const port = parsePort(flow.port);
  return changes.some(
    ({ source, ports, requests }) =>
      holds(source, flow.from) &&
      ports.map(parsePortRange).some((it) => {
        if (it === null || it === 'upside-down' || port === null) return false;
        return it.protocol === port.protocol && it.from <= port.number && port.number <= it.to;
      }) &&
      requests.some((it) => fits(it, request)),
  );
}

function fits({ method, path, host: only }: Request, request: ReturnType<typeof plainRequest>): boolean {
  if (request === null) return false;
  const stem = path?.endsWith('/*') === true ? path.slice(0, -2) : null;
  const hasPath = path === null || (stem === null ? request.path === path : `${request.path}/`.startsWith(`${stem}/`));
  return hasPath && (method === null || method === request.method) && (only === null || only === request.host);
}

/** Requests that fit the pattern and no narrower one. */
function generic({ method, path, host: only }: Request): Pick<Flow, 'method' | 'path' | 'host'> {
  const within = path === null ? '/fresh-path' : path.endsWith('/*') ? `${path.slice(0, -2)}/fresh-path` : path;
  return { method: method ?? 'FRESH', path: encodeURI(within), host: only ?? 'fresh.example' };
}

const arbitraryChange = fc.record({
  documents: arbitraryDirectory(),
  stock: arbitraryDirectory(),
  edits: arbitraryEdits,
});

/** Modes are told apart from verdicts, and time stands still. */
function sidesOf({
  documents,
  stock,
  edits,
}: {
  documents: unknown[];
  stock: unknown[];
  edits: Parameters<typeof edited>[1][];
}) {
  const plain = (all: unknown[]): unknown[] =>
    all.map((it) => ('mode' in (it as object) ? { ...(it as object), mode: 'observe' } : it));
  let directory = { documents: plain(documents), stock: plain(stock), nowMs: 0 };
  for (const edit of edits) if (edit.kind !== 'time') directory = edited(directory, edit);
  return {
    documents: [...documents, ...directory.documents],
    before: sideOf(plain(documents)),
    after: sideOf(directory.documents),
  };
}

t.test('whatever verdict changes is told, and whatever is told changes a verdict', async (t) => {
  let changed = 0;
  let proved = 0;
  const property = fc.property(
    arbitraryChange.chain((change) =>
      fc.tuple(
        fc.constant(change),
        fc.array(arbitraryFlow([...change.documents, ...change.stock]), { minLength: 30, maxLength: 30 }),
      ),
    ),
    ([change, flows]) => {
      const { before, after } = sidesOf(change);
      if (after === null) return;
      for (const judged of judgedOf(before, after)) {
        const http = [judged.before, judged.after].some((it) => it?.view.object(it.object)?.protocol === 'http');
        for (const flow of flows) {
          delete flow.forwardedFor;
          if (http && plainRequest(flow.method, flow.path, flow.host) === null) continue;
          const [was, is] = [allows(judged.before, flow), allows(judged.after, flow)];
          if (was === is) continue;
          changed += 1;
          const list = judged.change?.[is ? 'gained' : 'lost'] ?? [];
          assert.ok(tells(list, flow, http), `not told: ${JSON.stringify({ flow, was, is, change: judged.change })}`);
        }
        for (const direction of ['gained', 'lost'] as const) {
          for (const it of judged.change?.[direction] ?? []) {
            const [from = ''] = (it.source.ranges.examples[0] ?? '').split(/[-/]/);
            const [port = ''] = (it.ports[0] ?? '').split('-');
            for (const request of it.requests) {
              const flow = { from, to: '', port, ...generic(request) };
              const seen = [allows(judged.before, flow), allows(judged.after, flow)];
              assert.deepEqual(seen, [direction === 'lost', direction === 'gained'], JSON.stringify({ flow, it }));
              proved += 1;
            }
          }
        }
      }
    },
  );
  fc.assert(property, search(t, 150));
  t.ok(changed > 50 && proved > 100, `${changed} verdicts changed, ${proved} changes were proved`);
});

t.test('conditions: whatever a request gains or loses is told, and of each that is told something is', async (t) => {
  const condition = fc.record({
    by: fc.constantFrom('allow' as const, 'allow' as const, 'deny' as const),
    method: fc.constantFrom(null, 'GET', 'POST'),
    path: fc.constantFrom(null, '/*', '/a', '/a/*', '/a/b', '/b/*'),
    host: fc.constantFrom(null, null, 'x.example'),
  });
  const conditions = fc.array(condition, { maxLength: 5 });
  const allowed = (list: Request[], asked: { method: string; path: string; host: string }): boolean => {
    const matching = list.filter((it) => fits(it, asked));
    return matching.some(({ by }) => by === 'allow') && !matching.some(({ by }) => by === 'deny');
  };
  const samples = ['GET', 'POST', 'PUT'].flatMap((method) =>
    ['/', '/a', '/a/', '/a/b', '/a/c', '/ab', '/b', '/b/x'].flatMap((path) =>
      ['x.example', 'y.example'].map((name) => ({ method, path, host: name })),
    ),
  );
  fc.assert(
    fc.property(conditions, conditions, (before, after) => {
      const { gained, lost } = compareRequests(before, after);
      for (const sample of samples) {
        const [was, is] = [allowed(before, sample), allowed(after, sample)];
        if (was !== is) assert.ok((is ? gained : lost).some((it) => fits(it, sample)));
      }
      for (const it of [...gained, ...lost]) {
        const asked = generic(it) as { method: string; path: string; host: string };
        assert.equal(allowed(after, asked), gained.includes(it));
        assert.equal(allowed(before, asked), lost.includes(it));
      }
      assert.deepEqual(compareRequests(before, before), { gained: [], lost: [] });
    }),
    search(t, 500),
  );
});
