/**
 * Connections to a host at a steady pace while its policy changes as fast as it can be applied: how many get another verdict than
 * every one of the policies gives them.
 */
import { createHostPoint, createNetfilter, createToolRun } from '@edgeward/host-agent';
import { HOST_ADDRESSES, type TestHost } from '../kit/index.ts';
import type { Bench, Benchmark, Result } from './benchmark.ts';
import type { Called } from './host-caller.ts';
import { hostPolicy } from './host-policies.ts';
import { OPTIONS, outputOf, peerOf, startScript, withHost } from './host-tools.ts';

const TOTAL = Number(process.env.EDGEWARD_BENCH_CONNECTS ?? 20_000);
const MEMBERS = 3000;
const SOURCES = 48;
const PORT = 5432;

interface Row {
  words: string;
  called: Called;
  replaced: number;
  added: number;
}

const sourcesOf = (family: 'inet' | 'inet6', kind: 'allowed' | 'denied'): string[] =>
  Array.from({ length: SOURCES }, (_, n) => {
    if (family === 'inet') return kind === 'allowed' ? `10.1.0.${n + 1}` : `203.0.113.${n + 1}`;
    return `2001:db8:${kind === 'allowed' ? '1' : 'bad'}::${(n + 1).toString(16)}`;
  });

/** Of three the first is another set of sources and ports, and the next two only let more in. */
function policyOf(revision: number): ReturnType<typeof hostPolicy> {
  const [kind, step] = [Math.floor(revision / 3), revision % 3];
  const friends = ['10.1.0.0/16', '2001:db8:1::/48', ...(step > 0 ? ['10.0.0.0/16', '2001:db8::/48'] : [])];
  const ports = [`tcp/${PORT - (kind % 3)}-${PORT}`];
  return hostPolicy({ revision, members: MEMBERS + step * 10, without: kind % 2, ports, friends });
}

export const hostVerdicts: Benchmark = {
  name: 'host-verdicts',
  measures: `wrong verdicts over ${TOTAL.toLocaleString('en')} allowed and as many denied connections while policies change`,
  async run(bench) {
    const rows: Row[] = [];
    for (const backend of ['nft', 'legacy'] as const) {
      const result = await withHost(bench, (host) => measureBackend(bench, host, backend, rows));
      if (result.state === 'skipped') return result;
    }
    const head = ['connections while policies change', 'allowed', 'denied', 'wrongly dropped', 'wrongly let in'];
    return {
      state: 'measured',
      tables: [
        {
          head: [...head, 'new sets', 'added in place'],
          rows: rows.map(({ words, called, replaced, added }) => [
            words,
            ...[called.allowed, called.denied, called.wronglyDropped, called.wronglyLetIn, replaced, added].map(
              (count) => count.toLocaleString('en'),
            ),
          ]),
        },
      ],
      notes: [
        `${MEMBERS.toLocaleString('en')} sources on up to three ports; callers of ${SOURCES} addresses, each kind 800 times a second. A verdict is that of the first SYN: an answer within ${900} ms, before a second one is sent.`,
        'A policy is applied as soon as the one before is in force. Of three changes one makes new sets, two add to those that stand.',
      ],
    };
  },
};

async function measureBackend(bench: Bench, host: TestHost, backend: 'nft' | 'legacy', rows: Row[]): Promise<Result> {
  const netfilter = createNetfilter(backend, createToolRun({ where: host.where }));
  const point = createHostPoint({ name: 'h', options: OPTIONS, netfilter });
  let revision = 2;
  await point.apply(policyOf(revision));
  for (const family of ['inet', 'inet6'] as const) {
    bench.progress(`${backend}, ${family === 'inet' ? 'IPv4' : 'IPv6'}`);
    const [allowed, denied, to] = [sourcesOf(family, 'allowed'), sourcesOf(family, 'denied'), HOST_ADDRESSES[family]];
    await host.call([...allowed, ...denied].map((from) => ({ from, to, port: 'udp/9' })));
    const order = { allowed, denied, to, port: PORT, total: TOTAL };
    const calling = outputOf(startScript(bench, peerOf(host), 'host-caller.ts', [JSON.stringify(order)]));
    let over = false;
    const called = calling.finally(() => {
      over = true;
    });
    const changes = { replaced: 0, added: 0 };
    while (!over) {
      revision += 1;
      await point.apply(policyOf(revision));
      changes[revision % 3 === 0 ? 'replaced' : 'added'] += 1;
    }
    const words = `${backend}, ${family === 'inet' ? 'IPv4' : 'IPv6'}`;
    rows.push({ words, called: JSON.parse(await called) as Called, ...changes });
  }
  await point.close();
  return { state: 'measured', tables: [], notes: [] };
}
