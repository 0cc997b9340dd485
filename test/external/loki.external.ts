/**
 * The claims of the Loki sink, and of the stand-in that its tests use, against a real Loki: `LOKI_URL=http://127.0.0.1:3100
 * npm run test:external`. Without LOKI_URL it is reported as not run. It needs a Loki with its default limits, without a
 * tenant, and leaves its events there.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { lokiClaims } from '../../audit-collector/test/sinks/loki-claims.ts';
import { startLokiStandIn } from '../kit/loki-stand-in.ts';

const url = process.env.LOKI_URL;
const dayNs = 86_400_000n * 1_000_000n;

interface Answer {
  data: { result: { values: [string, string][] }[] };
}

async function linesAt(place: string, point: string, atLeast: number): Promise<{ timeMs: number; line: string }[]> {
  const now = BigInt(Date.now()) * 1_000_000n;
  const query = new URLSearchParams({
    query: `{job="edgeward",point="${point}"}`,
    start: `${now - 10n * dayNs}`,
    end: `${now + dayNs}`,
    limit: '1000',
    direction: 'forward',
  });
  // What is old is hidden until it is flushed.
  await fetch(`${place}/flush`, { method: 'POST' });
  for (let attempt = 0; ; attempt += 1) {
    const answer = (await (await fetch(`${place}/loki/api/v1/query_range?${query}`)).json()) as Answer;
    const found = answer.data.result.flatMap(({ values }) => values);
    if (found.length < atLeast && attempt < 100) {
      await sleep(200);
      continue;
    }
    return found.map(([at, line]) => ({ timeMs: Number(BigInt(at) / 1_000_000n), line }));
  }
}

if (url === undefined) t.plan(0, 'not run: LOKI_URL names no Loki');
else if (url === 'stand-in') {
  // How this file itself is tested where there is no Loki.
  const loki = await startLokiStandIn();
  t.teardown(() => loki.close());
  lokiClaims(t, { url: loki.url, lines: (point, atLeast) => linesAt(loki.url, point, atLeast) });
} else lokiClaims(t, { url, lines: (point, atLeast) => linesAt(url, point, atLeast) });
