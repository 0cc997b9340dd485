/** Pushing to a Loki: the claims on a stand-in, what its answers mean, and how it is asked. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@edgeward/runtime';
import { startLokiStandIn, testCertificates } from '@edgeward/test/kit';
import t from 'tap';
import { retryAfter } from '../../src/sinks/http-push.ts';
import { type LokiVerdict, understood } from '../../src/sinks/loki/loki-answer.ts';
import { connectLoki } from '../../src/sinks/loki/loki-connection.ts';
import { entryOf, timestampOf } from '../../src/sinks/loki/loki-entry.ts';
import { lokiSink } from '../../src/sinks/loki/loki-sink.ts';
import type { LokiConfig } from '../../src/sinks/sinks-schema.ts';
import { refs, until } from '../kit.ts';
import { lokiClaims } from './loki-claims.ts';
import { event, lokiConfig, named, stageOf } from './stage.ts';

const never = new AbortController().signal;

t.test('on a stand-in', async (t) => {
  const loki = await startLokiStandIn();
  t.teardown(() => loki.close());
  const ms = 1_000_000n;
  lokiClaims(t, {
    url: loki.url,
    lines: async (point) =>
      loki
        .lines()
        .filter(({ labels }) => labels.point === point && labels.job === 'edgeward')
        .sort((a, b) => (a.timestamp < b.timestamp ? -1 : 1))
        .map(({ timestamp, line }) => ({ timeMs: Number(timestamp / ms), line })),
  });
});

t.test('what Loki answers is understood, and what it does not say is not guessed', async (t) => {
  const behind =
    "entry with timestamp 2026-11-22 07:00:00 +0000 UTC ignored, reason: 'entry too far behind, entry timestamp is: " +
    "2026-11-22T07:00:00Z, oldest acceptable timestamp is: 2026-11-22T09:00:00Z',\n";
  const total = (n: number, of: number): string =>
    `user 'fake', total ignored: ${n} out of ${of} for stream: {point="a"}`;
  const old =
    'entry for stream \'{point="a"}\' has timestamp too old: 2026-11-01T07:00:00Z, oldest acceptable timestamp is: 2026-11-15T09:00:00Z';
  const young = 'entry for stream \'{point="a"}\' has timestamp too new: 2026-12-01T07:00:00Z';
  const long =
    "Max entry size '262144' bytes exceeded for stream '{point=\"a\"}' while adding an entry with length '300000' bytes";
  const nine = Date.parse('2026-11-22T09:00:00Z');
  const week = Date.parse('2026-11-15T09:00:00Z');
  const cases: [string, number, string, Partial<LokiVerdict>][] = [
    ['stored', 204, '', { state: 'stored' }],
    ['stored, by somebody with 200', 200, '', { state: 'stored' }],
    ['a page of somebody else', 200, '<html>', { state: 'refused' }],
    ['thrown away by order', 260, 'blocked', { state: 'refused' }],
    ['a redirect', 302, '', { state: 'refused' }],
    [
      'behind',
      400,
      behind + total(2, 5),
      { state: 'partial', refused: [{ reason: 'too-far-behind', count: 2, oldestMs: nine }] },
    ],
    ['behind, and some are not told of', 400, behind + total(2, 4), { state: 'unclear' }],
    ['one invalid', 400, old, { state: 'partial', refused: [{ reason: 'too-old', count: 1, oldestMs: week }] }],
    [
      'several invalid',
      400,
      `2 errors like: ${old}; 1 errors like: ${young}; 1 errors like: ${long}`,
      {
        state: 'partial',
        refused: [
          { reason: 'too-old', count: 2, oldestMs: week },
          { reason: 'too-new', count: 1, oldestMs: null },
          { reason: 'too-long', count: 1, oldestMs: null },
        ],
      },
    ],
    ['more refused than was sent', 400, `6 errors like: ${old}`, { state: 'refused' }],
    ['unknown words', 400, 'missing required labels', { state: 'refused' }],
    ['digits without end', 400, '9'.repeat(200_000), { state: 'refused' }],
    ['a limit', 429, 'Ingestion rate limit exceeded', { state: 'busy', retryAfterMs: 7_000 }],
    ['a limit of a stream, some stored', 429, total(3, 5), { state: 'busy' }],
    ['away', 503, '', { state: 'busy' }],
    ['broken', 500, 'rpc error', { state: 'server-error' }],
    ['no such tenant', 401, 'no org id', { state: 'refused' }],
  ];
  for (const [name, status, text, verdict] of cases)
    t.match(understood({ status, text, isCut: false, retryAfterMs: 7_000 }, 5), verdict, name);
});

t.test('a pause that is asked for is understood as seconds and as a date', async (t) => {
  const now = Date.parse('2026-11-22T10:00:00Z');
  const cases: [string | undefined, number][] = [
    [undefined, 0],
    ['12', 12_000],
    ['Sun, 22 Nov 2026 10:00:30 GMT', 30_000],
    ['Sun, 22 Nov 2026 09:00:00 GMT', 0],
    ['soon', 0],
    ['-1', 0],
  ];
  for (const [given, ms] of cases) t.equal(retryAfter(given, now), ms, String(given));
});

t.test('a timestamp is unique within its millisecond, and the same each time', async (t) => {
  const denial = { id: 12_345_678, event: event('a', 1_795_353_606_721) };
  t.equal(timestampOf(entryOf(named(denial), 0)), '1795353606721345678');
});

t.test('one push has one stream, and no more than half a megabyte', async (t) => {
  const stage = await stageOf(t);
  const wide = (ref: string, point: string) => ({
    ...event(ref, Date.now(), point),
    objectLabels: { app: 'x'.repeat(5_000) },
  });
  await stage.store(refs(0, 400).map((ref, i) => wide(ref, `edge-${i % 3}`)));
  const sink = stage.start();
  await until('all is there', () => sink.status().sent === 400);
  t.equal(new Set(stage.loki.lines().map(({ labels }) => labels.point)).size, 3);
  const pushes = stage.loki.pushes();
  t.equal(pushes.length, 6, 'each third of it is more than one push may have');
});

t.test('who pushes is told as it is configured, and a secret that changed is read again', async (t) => {
  const stage = await stageOf(t);
  const file = (name: string, text: string): string => {
    writeFileSync(join(stage.folder, name), text, { mode: 0o600 });
    return join(stage.folder, name);
  };
  const tokenFile = file('token', 'first\n');
  const passwordFile = file('password', 'pass word\n');
  const headersFor = async (config: Partial<LokiConfig>): Promise<object> => {
    const connect = () => connectLoki({ ...lokiConfig(stage.loki.url), ...config });
    const sink = lokiSink({ labels: {}, clock: systemClock, connect });
    await sink.push({ denials: [named({ id: 1, event: event('a') })], holes: [] }, never, 0);
    sink.close();
    return stage.loki.pushes().at(-1)?.headers ?? {};
  };
  t.match(await headersFor({}), { 'content-type': 'application/json', 'content-encoding': 'gzip' });
  t.match(await headersFor({ tenant: 'shop' }), { 'x-scope-orgid': 'shop' });
  t.match(await headersFor({ user: 'u', passwordFile }), { authorization: `Basic ${btoa('u:pass word')}` });
  t.match(await headersFor({ tokenFile }), { authorization: 'Bearer first' });
  stage.loki.setFault({ kind: 'answer', status: 401 });
  const sink = stage.start({ config: { tokenFile } });
  await stage.store([event('b')]);
  await until('it was refused', () => sink.status().error !== null);
  file('token', 'second\n');
  stage.loki.setFault(null);
  await until('it is let in', () => sink.status().sent === 1);
  t.match(stage.loki.pushes().at(-1)?.headers, { authorization: 'Bearer second' });
});

t.test('a Loki is believed by its authority, and asked for nothing without', async (t) => {
  const folder = t.testdir({});
  const certificates = await testCertificates(join(folder, 'tls'));
  const others = await testCertificates(join(folder, 'others'));
  const { cert, key, certFile, keyFile } = await certificates.server();
  const loki = await startLokiStandIn({ cert, key });
  t.teardown(() => loki.close());
  const push = async (config: Partial<LokiConfig>): Promise<unknown> => {
    const connect = () => connectLoki({ ...lokiConfig(loki.url), ...config });
    const sink = lokiSink({ labels: {}, clock: systemClock, connect });
    t.teardown(() => sink.close());
    return await sink.push({ denials: [named({ id: 1, event: event('a') })], holes: [] }, never, 0);
  };
  t.match(await push({ caFile: certificates.caFile }), { sent: 1 });
  t.match(await push({ caFile: certificates.caFile, certFile, keyFile }), { sent: 1 }, 'with a certificate of its own');
  await t.rejects(push({ caFile: others.caFile }), { code: 'EDW_ERR_SINK_PUSH', retry: 'unreachable' });
  await t.rejects(push({}), { code: 'EDW_ERR_SINK_PUSH', retry: 'unreachable' });
  t.teardown(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED);
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  await t.rejects(push({}), { code: 'EDW_ERR_SINK_PUSH', retry: 'unreachable' }, 'whatever the environment says');
  await t.rejects(push({ caFile: join(folder, 'none.pem') }), { code: 'EDW_ERR_SINK_PUSH', retry: 'local' });
  t.equal(loki.pushes().length, 2);
});
