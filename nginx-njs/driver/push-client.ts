import { EdgewardError, messageOf, readSecret, systemCodeOf } from '@edgeward/runtime';
import type { Active } from '../src/layout.ts';
import { type NameOf, namesUnder } from './entry-names.ts';
import { CERTIFICATE_MEND } from './push-connection.ts';
import { openPushFrames } from './push-frames.ts';
import { openPushRequests } from './push-requests.ts';
import {
  type PushAnswer as Answer,
  isFramed,
  notEdgeward,
  type PushWords,
  type TransportOptions,
  wordsOf,
} from './push-transport.ts';

/** The calls of the push endpoints in `src/push-calls.ts`, one at a time, each bounded in time, over either transport. */
export interface PushClient {
  /** What a person calls the zone, and the file that makes it. */
  readonly words: PushWords;
  /** How entries are named: by the push token, as it was taken last. */
  names(): Promise<NameOf>;
  state(): Promise<PointState>;
  counts(): Promise<PointCounts>;
  keys(): Promise<string[]>;
  digest(keys: string[]): Promise<string>;
  /** null where there is none. A module from before deltas can't be asked. */
  values(keys: string[]): Promise<(string | null)[]>;
  /** Makes `writer` the one whose changes are taken, if nobody wrote since `push.writer` did. */
  begin(push: Push, writer: string): Promise<void>;
  set(push: Push, lines: string): Promise<void>;
  switchTo(push: Push, active: string): Promise<void>;
  remove(push: Push, keys: string[]): Promise<void>;
  /** Lays the question of a proof out; false where its place is taken. */
  prove(question: unknown): Promise<boolean>;
  /** What became of it, once. */
  proven(id: string): Promise<unknown>;
  close(): void;
}

/** The zone that a change is meant for, and who makes it. */
interface Push {
  bootId: string;
  writer: string;
}

export interface PointState extends Push {
  /** Changes whenever the zone starts empty. */
  bootId: string;
  /** Who wrote last; empty where nobody has. */
  writer: string;
  active: Active | null;
  capacity: number;
  free: number;
  njs: string;
  /** Native snapshots that this NGINX includes; not there where it includes none. */
  included?: { folder: string; generation: string };
  /** Which layout the module reads; 1 is from before deltas. */
  layout: number;
}

/** Totals since `epoch` began, by `object TAB verdict TAB reason`. */
interface PointCounts {
  epoch: string;
  counts: [key: string, total: number][];
  /** Denials that were folded and are in no line yet. A module of an earlier version says nothing of it. */
  waiting?: number;
}

interface ClientOptions extends TransportOptions {
  tokenFile: string;
}

const READING: Push = { bootId: '', writer: '' };

export function createPushClient(options: ClientOptions): PushClient {
  const transport = isFramed(options.url) ? openPushFrames(options) : openPushRequests(options);
  /** The token that was taken last. */
  let taken: string | null = null;
  const ask = async (method: 'GET' | 'POST', path: string, push: Push, body: string): Promise<Answer> => {
    const token = taken ?? (await readToken(options));
    const { bootId, writer } = push;
    const answer = await transport.call({ method, path, token, bootId, writer, body });
    taken = answer.status === 200 ? token : null;
    return answer;
  };
  /** A call in the middle of a push, for which the token is not read again; one that is no longer taken is. */
  const change = async (path: string, push: Push, body: string): Promise<unknown> => {
    const wasTaken = taken !== null;
    const answer = await ask('POST', path, push, body);
    const isStale = wasTaken && answer.status === 401;
    return told(isStale ? await ask('POST', path, push, body) : answer, options);
  };
  const call = async (method: 'GET' | 'POST', path: string, push: Push, body: string): Promise<unknown> => {
    taken = null;
    return told(await ask(method, path, push, body), options);
  };
  return {
    words: wordsOf(options.url),
    names: async () => namesUnder(taken ?? (await readToken(options))),
    state: async () => stateOf(await call('GET', 'state', READING, ''), options),
    counts: async () => (await call('GET', 'counts', READING, '')) as PointCounts,
    keys: async () => (await call('GET', 'keys', READING, '')) as string[],
    digest: async (keys) => ((await call('POST', 'digest', READING, keys.join('\n'))) as { sha256: string }).sha256,
    values: async (keys) => (await call('POST', 'values', READING, keys.join('\n'))) as (string | null)[],
    begin: async (push, writer) => void (await call('POST', 'begin', push, writer)),
    set: async (push, lines) => void (await change('set', push, lines)),
    switchTo: async (push, active) => void (await change('switch', push, active)),
    remove: async (push, keys) => void (await change('delete', push, keys.join('\n'))),
    prove: async (question) =>
      ((await call('POST', 'prove', READING, JSON.stringify(question))) as { laid: boolean }).laid,
    proven: (id) => call('POST', 'proven', READING, id),
    close: () => transport.close(),
  };
}

/**
 * Read at every call but those in the middle of a push, so that a token can be changed without a restart of either side.
 * One that is open to all is none.
 */
async function readToken(options: ClientOptions): Promise<string> {
  try {
    return (await readSecret(options.tokenFile)).trim();
  } catch (thrown) {
    const isMissing = thrown instanceof EdgewardError && systemCodeOf(thrown.cause) === 'ENOENT';
    const create = `Create ${options.tokenFile} with \`edgeward nginx snippets\`, or correct \`tokenFile\` in edgeward.yaml.`;
    throw new EdgewardError('EDW_ERR_SECRET_FILE', `as the push token of ${options.point}: ${messageOf(thrown)}`, {
      mend: thrown instanceof EdgewardError && !isMissing ? thrown.mend : create,
      cause: thrown,
    });
  }
}

function told(answer: Answer, options: ClientOptions): unknown {
  if (answer.status !== 200) throw refusal(answer, options);
  return parseAnswer(answer.text, options);
}

function parseAnswer(text: string, options: ClientOptions): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw notEdgeward(`the answer is no JSON: ${text.slice(0, 80)}`, options, cause);
  }
}

function mendsOf({ conf, zone }: PushWords): Record<string, string> {
  return {
    EDW_ERR_POINT_CERTIFICATE: CERTIFICATE_MEND,
    EDW_ERR_POINT_TOKEN: `Let \`tokenFile\` in edgeward.yaml and $edgeward_token_file in ${conf} name the same file, readable by the NGINX worker.`,
    EDW_ERR_POINT_RESTARTED: 'Nothing to do: the push is tried again at once.',
    EDW_ERR_POINT_TAKEN:
      'Nothing to do where services share this point: the push is tried again. Otherwise stop the other sync service.',
    EDW_ERR_POINT_SNAPSHOTS:
      'Let `mode` of this point be hybrid and `snapshot.folder` what hybrid.conf names; or run `edgeward nginx snippets` for the mode that it has, and reload NGINX.',
    EDW_ERR_REVISION_OLDER: 'Let one sync service with one state folder push to this point.',
    EDW_ERR_ZONE_TOO_SMALL: `Enlarge \`zone=${zone}\` in ${conf} and reload NGINX; the old policy stays in force until then.`,
  };
}

/** Looked at once, because every push begins with it: any other server answers something else. */
function stateOf(value: unknown, options: ClientOptions): PointState {
  const { bootId, writer, active, layout } = (value ?? {}) as Record<string, unknown>;
  const known = typeof bootId === 'string' && typeof writer === 'string' && (active === null || isActive(active));
  if (!known) throw notEdgeward(`the answer is no state: ${JSON.stringify(value).slice(0, 80)}`, options);
  return { ...(value as PointState), layout: typeof layout === 'number' ? layout : 1 };
}

function isActive(value: unknown): boolean {
  const { generation, revision, hash } = (value ?? {}) as Record<string, unknown>;
  return typeof generation === 'string' && typeof revision === 'number' && typeof hash === 'string';
}

function refusal(answer: Answer, options: ClientOptions): EdgewardError {
  let error: { code?: unknown; message?: unknown } = {};
  try {
    error = (JSON.parse(answer.text) as { error?: typeof error }).error ?? {};
  } catch {
    return notEdgeward(`it answered ${answer.status}`, options);
  }
  if (typeof error.code !== 'string') return notEdgeward(`it answered ${answer.status}`, options);
  const mends = mendsOf(wordsOf(options.url));
  const code = error.code in mends ? error.code : 'EDW_ERR_POINT_REFUSED';
  return new EdgewardError(
    code,
    `NGINX at ${options.url} refused a push to ${options.point}: ${String(error.message ?? answer.status)}`,
    {
      mend: mends[code] ?? "Look into NGINX's error log; the module and the sync service may be of different versions.",
    },
  );
}
