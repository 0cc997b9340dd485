/**
 * The queries of the dashboards for Loki, on a real one: `LOKI_URL=http://127.0.0.1:3100 npm run test:external`. Without
 * LOKI_URL it is reported as not run. The events are of a point that nobody else has, and stay there.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { denyEvent } from '../../audit-collector/src/deny-event.ts';
import { entryOf, lineOf, streamOf, timestampOf } from '../../audit-collector/src/sinks/loki/loki-entry.ts';
import { denyRecord, labels } from '../../audit-collector/test/kit.ts';
import { named } from '../../audit-collector/test/sinks/stage.ts';
import { queries } from '../../grafana/test/committed.ts';
import { type Choices, logQl } from '../../grafana/test/interpolation.ts';
import { everything } from '../../grafana/test/samples.ts';

const url = process.env.LOKI_URL;
const point = `edge-${randomBytes(4).toString('hex')}`;
const now = Date.now();
const event = (reason: 'unknown-source' | 'denied-by-rule', agoMs: number) =>
  denyEvent(denyRecord({ reason, t: now - agoMs, object: 'order-front', ref: `ref-${agoMs}` }), point, labels);
const events = [event('unknown-source', 3000), event('unknown-source', 2000), event('denied-by-rule', 1000)];

async function push(place: string): Promise<void> {
  const epoch = randomBytes(16).toString('hex');
  const entries = events.map((each, index) => entryOf(named({ id: index + 1, event: each }, epoch), now));
  const values = entries.map((entry) => [timestampOf(entry), lineOf(entry)]);
  const response = await fetch(`${place}/loki/api/v1/push`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ streams: [{ stream: streamOf(point, {}), values }] }),
  });
  if (response.status !== 204) throw new Error(`${response.status} ${await response.text()}`);
}

interface Answer {
  data: { result: { stream?: Record<string, string>; metric?: Record<string, string>; values: [string, string][] }[] };
}

/** Until there is something: what was just pushed is seen a moment later. */
async function run(place: string, text: string, choices: Choices): Promise<Answer['data']['result']> {
  const query = queries().find((each) => each.text === text);
  const span = { fromMs: now - 60_000, toMs: now + 60_000, stepMs: 300_000, scrapeMs: 15_000 };
  const interpolated = logQl(text, { variables: query?.variables ?? [], choices: { ...everything, ...choices }, span });
  const form = new URLSearchParams({
    ...{ query: interpolated, start: `${span.fromMs}000000`, end: `${span.toMs}000000`, step: '300', limit: '100' },
  });
  for (let attempt = 0; ; attempt += 1) {
    const response = await fetch(`${place}/loki/api/v1/query_range?${form}`);
    if (response.status !== 200) throw new Error(`${interpolated}: ${response.status} ${await response.text()}`);
    const { result } = ((await response.json()) as Answer).data;
    if (result.length > 0 || attempt === 50) return result;
    await sleep(200);
  }
}

if (url === undefined) t.plan(0, 'not run: LOKI_URL names no Loki');
else
  t.test('what a dashboard shows of Loki is what was pushed to it', async (t) => {
    await push(url);
    const chosen = { point: [point] };
    const asked = queries().filter(({ kind }) => kind === 'logql');
    t.ok(asked.length >= 2, 'queries were found');
    for (const { text, name } of asked) {
      const result = await run(url, text, chosen);
      if (!text.startsWith('sum')) t.equal(result.flatMap(({ values }) => values).length, events.length, name);
      else {
        const largest = result.map(({ metric, values }) => [
          metric?.reason,
          Math.max(...values.map(([, value]) => Number(value))),
        ]);
        t.strictSame(Object.fromEntries(largest), { 'unknown-source': 2, 'denied-by-rule': 1 }, name);
      }
      const one = await run(url, text, { ...chosen, reason: ['denied-by-rule'] });
      t.equal(one.length, 1, `${name}, one reason chosen`);
    }
  });
