/** What `edgeward status` says of sinks: nothing while they have everything, one line where one fails or lags. */
import type { ServiceStatus } from '@edgeward/sync-service';
import t from 'tap';
import { run } from './fixtures/run.ts';
import { openStatusApi, status } from './fixtures/status-api.ts';

type Sink = ServiceStatus['sinks'][number];

const loki: Sink = {
  ...{ name: 'loki', state: 'current', lagEvents: 0, lagSeconds: 0, sent: 9, rejected: 0, lost: 0 },
  ...{ lastSuccessAt: null, error: null },
};
const error = { code: 'EDW_ERR_SINK_PUSH', message: 'pushing to http://loki:3100\x1b[2J: refused', mend: 'Start it.' };
const refused = /^warning {2}sink loki {2}EDW_ERR_SINK_PUSH {2}pushing to http:\/\/loki:3100\S+: refused/m;

const cases: [name: string, sinks: Sink[] | undefined, lines: RegExp[]][] = [
  ['there are none', [], []],
  ['a service that has no word for it', undefined, []],
  ['it has everything', [loki], []],
  ['some are on their way', [{ ...loki, lagEvents: 12, lagSeconds: 3 }], []],
  [
    'it is too slow',
    [{ ...loki, state: 'behind', lagEvents: 12_000, lagSeconds: 420 }],
    [/^warning {2}sink loki {2}12,000 events wait for it, the oldest for 7m$/m, /^ {4}Look at its load/m],
  ],
  [
    'it fails',
    [{ ...loki, state: 'failing', lagEvents: 1, lagSeconds: 59, error }],
    [refused, /refused; 1 event waits for it, the oldest for 59s$/m, /^ {4}Start it\.$/m],
  ],
  ['it fails, and nothing waits', [{ ...loki, state: 'failing', error }], [/: refused$/m]],
  [
    'one of two',
    [loki, { ...loki, name: 'collector', state: 'behind', lagEvents: 2, lagSeconds: 301 }],
    [/^warning {2}sink collector {2}2 events wait for it, the oldest for 5m$/m],
  ],
];

t.test('one line says that a sink fails or lags, and how much waits for it', async (t) => {
  for (const [name, sinks, lines] of cases) {
    const { config } = await openStatusApi(t, { status: () => ({ ...status, sinks }) });
    const { code, out, err } = await run(['status', '--config', config]);
    t.strictSame([code, err], [0, ''], name);
    for (const line of lines) t.match(out, line, name);
    t.equal(out.match(/ sink /g)?.length ?? 0, lines.length > 0 ? 1 : 0, `${name}: no other line`);
    t.notOk(out.includes('\x1b'), name);
  }
});
