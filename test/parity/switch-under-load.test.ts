/**
 * Requests run all the time while the policy of one object is switched between A and B. No answer may come of a mixture:
 * what both allow is always let in, what both deny never, and every denial is what the revision in its event says.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CompiledPolicy } from '@edgeward/policy';
import { compileDocuments, onEveryNginx, startSteadyLoad } from '@edgeward/test/kit';
import t from 'tap';
import { type Answer, oracle } from '../../policy/test/oracle/oracle.ts';

const SWITCHES = 25;
const PAUSE_MS = 40;
const NOW = '2026-11-22T00:00:00Z';

/** 127.0.1.0/24 in both, 127.0.2.0/24 in neither, the others in one; and a crowd, so that a switch takes several chunks. */
const documentsOf = (letter: 'A' | 'B'): unknown[] => {
  const own = letter === 'A' ? '127.0.3.0/24' : '127.0.4.0/24';
  const crowd = Array.from({ length: 3000 }, (_, n) => ({
    cidr: `${letter === 'A' ? 11 : 41}.${n >> 8}.${n & 255}.7`,
  }));
  const http = [{ path: `/${letter}/*` }, { path: '/both' }];
  return [
    {
      kind: 'VirtualServer',
      name: 'order-front',
      labels: { app: 'shop' },
      point: 'edge-1',
      bind: 'order-front',
      ports: ['tcp/443'],
      mode: 'enforce',
    },
    {
      kind: 'Policy',
      name: 'shop',
      rules: [
        { id: `${letter}-who`, from: [{ cidr: '127.0.1.0/24' }, { cidr: own }, ...crowd], to: "app == 'shop'", http },
        { id: `${letter}-never`, from: [{ cidr: '127.0.5.0/24' }], to: "app == 'shop'", action: 'deny' },
      ],
    },
  ];
};

const CLIENTS = [
  { from: '127.0.1.1', path: '/both', statuses: [200] },
  { from: '127.0.1.2', path: '/A/x', statuses: [200, 403] },
  { from: '127.0.1.3', path: '/neither', statuses: [403] },
  { from: '127.0.2.1', path: '/both', statuses: [403] },
  { from: '127.0.3.1', path: '/both', statuses: [200, 403] },
  { from: '127.0.4.1', path: '/both', statuses: [200, 403] },
  { from: '127.0.4.2', path: '/B/x', statuses: [200, 403] },
  { from: '127.0.5.1', path: '/both', statuses: [403] },
];

const claim = await onEveryNginx(t);

claim(`${SWITCHES} switches under load: no verdict is of a mixture`, async (t, on) => {
  const edge = await on.startEdge(t, { workers: 2, zoneSize: '8m' });
  const point = edge.point({ collectAfterMs: 100 });
  const documents = { A: documentsOf('A'), B: documentsOf('B') };
  const compiled = {
    A: compileDocuments(documents.A, { revision: 0 }),
    B: compileDocuments(documents.B, { revision: 0 }),
  };
  const letterOf = (revision: number): 'A' | 'B' => (revision % 2 === 1 ? 'A' : 'B');
  const policyOf = (revision: number): CompiledPolicy => ({ ...compiled[letterOf(revision)], revision });
  await point.apply(policyOf(1));

  const load = startSteadyLoad(edge.port, CLIENTS);
  t.teardown(() => load.stop().then(() => {}));
  for (let revision = 2; revision <= SWITCHES + 1; revision += 1) {
    await point.apply(policyOf(revision));
    await sleep(PAUSE_MS);
  }
  const answers = await load.stop();

  let denied = 0;
  for (const { from, path, statuses } of CLIENTS) {
    const seen = answers.get(from) ?? {};
    t.comment(`${from} ${path}: ${JSON.stringify(seen)}`);
    t.strictSame(
      Object.keys(seen).map(Number),
      statuses,
      `${from} ${path}: ${statuses.join(' and ')}, and nothing else`,
    );
    denied += seen[403] ?? 0;
  }
  const events = await edge.denials();
  t.equal(events.length, denied, 'every denial left its event');
  const answersOf = { A: answersIn(documents.A), B: answersIn(documents.B) };
  const wrong = events.filter((event) => {
    const { verdict, reason, rule } = answersOf[letterOf(event.revision)](event.source ?? '', event.path ?? '');
    return verdict !== 'deny' || reason !== event.reason || rule !== event.rule;
  });
  t.strictSame(wrong, [], 'every event is what its revision says');
  const revisions = new Set(events.map(({ revision }) => revision));
  t.comment(`${events.length} denials of ${revisions.size} revisions`);
  t.ok(revisions.size > SWITCHES / 2, 'and the load saw most revisions, or this proves nothing');
  t.match(await point.inspect(), { revision: SWITCHES + 1, drift: [] });
});

/** The oracle, asked once for each client: it reads thousands of networks every time. */
function answersIn(documents: unknown[]): (from: string, path: string) => Answer {
  const known = new Map<string, Answer>();
  return (from, path) => {
    const key = `${from} ${path}`;
    const flow = { from, to: 'order-front', port: 'tcp/443', path, host: 'shop.example' };
    const answer = known.get(key) ?? oracle(documents, NOW, flow);
    known.set(key, answer);
    return answer;
  };
}
