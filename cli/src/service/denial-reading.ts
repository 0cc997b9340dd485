/**
 * Denials from a service, page after page: those that are known, oldest first, and then what is stored later. However long
 * a search takes, its pages go on where the one before ended, so that nothing is left out and nothing comes twice.
 */
import { type Denial, denialsAnswer, type Uncovered } from './service-answers.ts';
import type { Query, ServiceClient } from './service-client.ts';

export interface DenialReading {
  /** The newest, all of them before any is shown. */
  newest(limit: number): Promise<KnownDenials>;
  /** Each page as soon as it is there. */
  everyone(): AsyncGenerator<KnownDenials>;
  /** What was stored since; `isAll`: and there is no more for now. */
  later(): Promise<KnownDenials & { isAll: boolean }>;
  /** What was counted alone since then. */
  uncoveredSince(sinceMs: number, signal: AbortSignal): Promise<Uncovered[]>;
}

export interface KnownDenials {
  denials: Denial[];
  /** As they came. */
  raw: Record<string, unknown>[];
  /** Of the same time; with the first page alone. */
  uncovered: Uncovered[];
}

const pageLimit = 1_000;

interface Page extends KnownDenials {
  cursor: string | null;
}

export function denialReading(service: ServiceClient, query: Query, stop: AbortSignal): DenialReading {
  // Where there is none yet, every one from now on is new.
  let after = 0;

  async function ask(more: Query, signal = stop): Promise<Page & { after: number | null }> {
    const asking = { path: '/v1/denials', query: { ...query, ...more }, answer: denialsAnswer, signal };
    const { raw, value } = await service.ask(asking);
    return { ...value, raw: (raw as { denials: Record<string, unknown>[] }).denials };
  }

  async function first(more: Query): Promise<Page> {
    const page = await ask(more);
    after = page.after ?? after;
    return page;
  }

  return {
    async newest(limit) {
      let page = await first({ limit });
      const { uncovered } = page;
      let [denials, raw] = [page.denials, page.raw];
      while (page.cursor !== null && denials.length < limit && !stop.aborted) {
        page = await ask({ limit: limit - denials.length, cursor: page.cursor });
        denials = [...page.denials, ...denials];
        raw = [...page.raw, ...raw];
      }
      return { denials, raw, uncovered };
    },
    async *everyone() {
      let page = await first({ limit: pageLimit });
      yield page;
      while (page.cursor !== null && !stop.aborted) {
        page = await first({ limit: pageLimit, cursor: page.cursor });
        yield page;
      }
    },
    async later() {
      const page = await first({ limit: pageLimit, after });
      return { ...page, isAll: page.cursor === null };
    },
    async uncoveredSince(sinceMs, signal) {
      return (await ask({ sinceMs, limit: 1 }, signal)).uncovered;
    },
  };
}
