/**
 * What strangers write, and what whoever holds a log or a key forges, over every hop: a real NGINX, `edgeward forward`, a service,
 * `edgeward collect`, PostgreSQL. One event for each refusal, of the point that the certificate names; what is no event is a
 * sample where it arrived, and holds up nothing.
 */
import { randomBytes } from 'node:crypto';
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type BatchTlsFiles, createBatchSender, type NumberedRecord } from '@edgeward/deny-log';
import { denialsIn, requireNginx, requirePostgres, startEdge, startPostgres } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { documentsIn } from '../../cli/test/fixtures/run.ts';
import { prepareAudit } from './audit-places.ts';
import { asking, checkShown, sendHostile } from './hostile-requests.ts';
import { killableCommand } from './killable-command.ts';
import { preparePlace, startAt } from './running-service.ts';
import { dev, site } from './site.ts';
import { eventually, until } from './waiting.ts';

await requireNginx(t);
requirePostgres(t);

const MIB = 1024 * 1024;

/** By whose files who sends, and where to. */
type Link = BatchTlsFiles & { url: string };

/** As whoever has taken the files of a sender would. Its own batches may be on their way, and are waited for. */
async function forge(t: Test, { url, ...tls }: Link, contents: readonly object[]): Promise<void> {
  const sender = createBatchSender({ url, tls });
  t.teardown(() => sender.close());
  const records = contents.map((content, at): NumberedRecord => ({ seq: at + 1, record: JSON.stringify(content) }));
  const batch = { epoch: randomBytes(16).toString('hex'), records, waiting: { records: 0, unreadBytes: 0, shed: 0 } };
  const sent = await eventually('the batch is taken', async () => {
    const sent = await sender.send(batch);
    if (sent.state === 'acknowledged') return sent;
    throw sent.error;
  });
  t.equal(sent.acknowledged, contents.length, 'acknowledged whole: a batch that is refused would come for ever');
}

interface Sample {
  point: string;
  cause: string;
  sample: string;
}

function samplesAt(stateDir: string): Sample[] {
  const ledger = new DatabaseSync(join(stateDir, 'ledger.db'), { readOnly: true });
  try {
    const rows = ledger.prepare('SELECT point, cause, sample FROM quarantine ORDER BY id').all();
    return rows.map((row) => ({ ...row }) as unknown as Sample);
  } finally {
    ledger.close();
  }
}

t.test('what is hostile or forged is one event or one sample over every hop, and harmless at the end', async (t) => {
  const [edge, postgres] = await Promise.all([startEdge(t), startPostgres(t, { fsync: false })]);
  const place = await preparePlace(t, { edges: { 'edge-1': edge }, files: site });
  const { denyLog } = edge.paths;
  const { forwarderFile, collectorFile, collectorUrl } = await prepareAudit({ place, denyLog, central: postgres });
  const linkTo = async (file: string, ...keys: string[]): Promise<Link> =>
    keys.reduce((value, key) => value[key], JSON.parse(await readFile(file, 'utf8')));
  killableCommand(t, ['collect', '--config', collectorFile]).start();
  killableCommand(t, ['forward', '--config', forwarderFile]).start();
  const it = await startAt(t, place);
  await until('the policy is in force', async () => (await it.status()).points[0]?.state === 'current');

  const refs = await sendHostile(t, edge.port);
  const [first] = await denialsIn(denyLog);
  if (first === undefined) throw new Error('nothing was denied');
  const record = (ref: string, more: object = {}): object => ({ ...first, ref, path: '/', ...more });
  const line = (value: object): string => `${JSON.stringify(value)}\n`;
  // Whoever can write to the log of a point: what is too long, what is no record, and another point's name.
  await appendFile(
    denyLog,
    Buffer.concat([randomBytes(MIB).map((byte) => (byte === 10 ? 0 : byte)), Buffer.from('\n')]),
  );
  await appendFile(denyLog, line(record('a'.repeat(16), { path: `/${'x'.repeat(MIB)}` })));
  await appendFile(denyLog, line({ v: 1, point: 'edge-9' }));
  await appendFile(denyLog, line(record('b'.repeat(16), { point: 'edge-9', __proto__x: 1 })));
  const stored = async (count: number): Promise<void> =>
    until(`${count} are stored`, async () => (await it.denials()).denials.length >= count);
  await stored(refs.length + 1);

  // Whoever has the key of a forwarder: its certificate is of edge-1, and may label nothing.
  const [event] = (await it.denials()).denials;
  const { id: _, ...whole } = event ?? { id: 0 };
  await forge(t, await linkTo(forwarderFile, 'collector'), [
    { kind: 'denial', denial: record('c'.repeat(16), { point: 'edge-9' }), point: 'edge-9', sender: 'edge-9' },
    { kind: 'event', event: { ...whole, point: 'edge-9', ref: 'd'.repeat(16) } },
  ]);
  await stored(refs.length + 2);
  // Whoever has the key of a service, which may speak of edge-1 alone.
  const points = ['edge-9', '__proto__', '../edge-1', 'edge-1\u0000', ' edge-1', 'EDGE-1'];
  await forge(
    t,
    await linkTo(place.configFile, 'denials', 'sinks', 'collector'),
    points.map((point) => ({ kind: 'event', event: { ...whole, point, ref: 'e'.repeat(16) } })),
  );
  const all = [...refs, 'b'.repeat(16), 'c'.repeat(16)];
  const central = async (): Promise<Record<string, unknown>[]> =>
    postgres.sql('SELECT ref, point, source, source_labels FROM edgeward.denial_events ORDER BY id');
  const rows = await eventually('all are in PostgreSQL', async () => {
    const rows = await central();
    return rows.length >= all.length ? rows : null;
  });

  await t.test('events are one each, of the point of the certificate, and the same at both ends', async (t) => {
    t.strictSame(
      rows,
      all.map((ref) => ({ ref, point: 'edge-1', source: dev, source_labels: { app: 'crm', env: 'dev' } })),
    );
    const options = ['--url', collectorUrl, '--token-file', join(place.folder, 'central', 'api-token')];
    const told = documentsIn(await asking(t, options)('--json')) as { id: number }[];
    t.strictSame(told, (await it.denials()).denials, 'what was relayed is what was stored');
  });

  await t.test('what is no event is a sample where it arrived, cut to a kilobyte', async (t) => {
    const samples = samplesAt(place.stateDir);
    t.strictSame(
      samples.map(({ point, cause }) => [point, cause]),
      [
        ['edge-1', 'too-long'],
        ['edge-1', 'too-long'],
        ['edge-1', 'wrong-shape'],
        ['edge-1', 'no-record'],
      ],
    );
    t.ok(samples.every(({ sample }) => sample.length > 0 && sample.length <= 1024));
    t.equal(samples[2]?.sample, '{"v":1,"point":"edge-9"}');
    const refused = await postgres.sql('SELECT point, cause, sample FROM edgeward_ledger.quarantine ORDER BY id');
    t.strictSame(
      refused.map(({ point, cause }) => [point, cause]),
      points.map(() => ['service-1', 'other-point']),
      'by who sent it',
    );
    t.match(refused[0]?.sample, /"point":"edge-9"/);
  });

  await checkShown(t, all, ['--url', collectorUrl, '--token-file', join(place.folder, 'central', 'api-token')]);
});
