/**
 * Every way in which an NGINX judges: which NGINX, with which engine of njs, by a policy that is live or laid out as its
 * own maps, requests or connections. Each is one line of the table; whoever proves something of all of them asks here.
 */
import type { CompiledPolicy, Flow } from '@edgeward/policy';
import { type Denial, liveEditions, type NginxEditionName, type Teardown } from '@edgeward/test/kit';
import { startJudgingEdge } from './judging-edge.ts';
import { startJudgingStream } from './judging-stream.ts';

export interface CarrierKind {
  readonly edition: NginxEditionName;
  readonly mode: 'live' | 'hybrid';
  readonly transport: 'http' | 'stream';
}

/** What came of one flow. */
export interface Judged {
  /** It reached what NGINX protects. */
  passed: boolean;
  /** The event that this flow left, if any. */
  event: Denial | null;
  /** The status of the answer, where there is one. */
  status: number | null;
  /** What a refused client was told. */
  ref: string | undefined;
  /** NGINX answered with an error by itself, before the hook: no event. */
  refusedByServer: boolean;
}

export interface JudgingNginx {
  readonly nginxVersion: string;
  /** Puts a policy into force; its revision is replaced by the next one. Returns that. */
  load(policy: CompiledPolicy): Promise<number>;
  /** One at a time, so that the event is its. */
  judge(flow: Flow): Promise<Judged>;
  /** What NGINX counted since the last call, as `bind verdict reason` → number. */
  counted(): Promise<Record<string, number>>;
}

export interface Carrier extends JudgingNginx {
  readonly kind: CarrierKind;
  readonly name: string;
}

const allKinds: readonly CarrierKind[] = [
  ...liveEditions.map((edition) => ({ edition, mode: 'live', transport: 'http' }) as const),
  ...liveEditions.map((edition) => ({ edition, mode: 'live', transport: 'stream' }) as const),
  // What a snapshot says is said by NGINX itself: the engine of njs is no part of it.
  { edition: 'debian-13', mode: 'hybrid', transport: 'http' },
  { edition: 'debian-14-njs', mode: 'hybrid', transport: 'http' },
];

export const nameOf = ({ edition, mode, transport }: CarrierKind): string => `${edition} ${mode} ${transport}`;

/** EDGEWARD_CARRIERS leaves out those whose name does not hold it, to look at one of them. */
export const carrierKinds: readonly CarrierKind[] = allKinds.filter((kind) =>
  nameOf(kind).includes(process.env.EDGEWARD_CARRIERS ?? ''),
);

/** All of them side by side. */
export function startCarriers(t: Teardown, kinds: readonly CarrierKind[] = carrierKinds): Promise<Carrier[]> {
  return Promise.all(
    kinds.map(async (kind) => {
      const start = kind.transport === 'http' ? startJudgingEdge : startJudgingStream;
      return { ...(await start(t, kind)), kind, name: nameOf(kind) };
    }),
  );
}
