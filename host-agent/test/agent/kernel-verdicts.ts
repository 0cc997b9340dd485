/**
 * Verdicts of a test host as soon as they are certain: an answer came, or the kernel says that it dropped what was sent. Of
 * datagrams, as nobody sends those a second time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProbeFlow, ProbeOutcome, TestHost } from '@edgeward/test/kit';
import { createNetfilter, createToolRun, hostCounters } from '../../driver/index.ts';

const LOOK_MS = 10;

/** One after the other. What is neither answered nor counted is silent when the kit says so. */
export async function kernelVerdicts(host: TestHost, flows: readonly ProbeFlow[]): Promise<ProbeOutcome[]> {
  const netfilter = createNetfilter('nft', createToolRun({ where: host.where }));
  const dropped = async (): Promise<number> =>
    (await hostCounters(netfilter)).denials
      .filter(({ verdict }) => verdict === 'deny')
      .reduce((total, { packets }) => total + packets, 0);
  const outcomes: ProbeOutcome[] = [];
  for (const flow of flows) {
    const before = await dropped();
    const called = host.call([flow]).then(([outcome = 'silent']) => outcome);
    called.catch(() => {}); // nobody waits for it any more when the host is closed
    let outcome: ProbeOutcome | null = null;
    while (outcome === null) {
      outcome = await Promise.race([called, sleep(LOOK_MS, null)]);
      if (outcome === null && (await dropped()) > before) outcome = 'silent';
    }
    outcomes.push(outcome);
  }
  return outcomes;
}
