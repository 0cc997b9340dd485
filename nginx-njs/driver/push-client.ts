import { Agent, request } from 'node:http';
import { EdgewardError, messageOf, readSecret, systemCodeOf } from '@edgeward/runtime';
import type { Active } from '../src/layout.ts';

/** The calls of the push endpoint in `src/push.ts`, one at a time over one kept connection, each bounded in time. */
export interface PushClient {
  state(): Promise<PointState>;
  counts(): Promise<PointCounts>;
  keys(): Promise<string[]>;
  digest(keys: string[]): Promise<string>;
  /** Makes `writer` the one whose changes are taken, if nobody wrote since `push.writer` did. */
  begin(push: Push, writer: string): Promise<void>;
  set(push: Push, lines: string): Promise<void>;
  switchTo(push: Push, active: string): Promise<void>;
  remove(push: Push, keys: string[]): Promise<void>;
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
}

/** Totals since `epoch` began, by `object TAB verdict TAB reason`. */
interface PointCounts {
  epoch: string;
  counts: [key: string, total: number][];
}

interface ClientOptions {
  point: string;
  url: string;
  tokenFile: string;
  timeoutMs: number;
}

const READING: Push = { bootId: '', writer: '' };

export function createPushClient(options: ClientOptions): PushClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const call = async (method: string, path: string, push: Push, body: string): Promise<unknown> => {
    const token = await readToken(options);
    const answer = await send(agent, options, method, path, { token, ...push }, body);
    if (answer.status === 200) return parseAnswer(answer.text, options);
    throw refusal(answer, options);
  };
  return {
    state: async () => stateOf(await call('GET', 'state', READING, ''), options),
    counts: async () => (await call('GET', 'counts', READING, '')) as PointCounts,
    keys: async () => (await call('GET', 'keys', READING, '')) as string[],
    digest: async (keys) => ((await call('POST', 'digest', READING, keys.join('\n'))) as { sha256: string }).sha256,
    begin: async (push, writer) => void (await call('POST', 'begin', push, writer)),
    set: async (push, lines) => void (await call('POST', 'set', push, lines)),
    switchTo: async (push, active) => void (await call('POST', 'switch', push, active)),
    remove: async (push, keys) => void (await call('POST', 'delete', push, keys.join('\n'))),
    close: () => agent.destroy(),
  };
}

/** Read at every call, so that a token can be changed without a restart of either side. One that is open to all is none. */
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

interface Answer {
  status: number;
  text: string;
}

function send(
  agent: Agent,
  options: ClientOptions,
  method: string,
  path: string,
  sender: Push & { token: string },
  body: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const unreachable = (cause: unknown): void => {
      reject(
        new EdgewardError(
          'EDW_ERR_POINT_UNREACHABLE',
          `calling NGINX at ${options.url} for ${options.point}: ${messageOf(cause)}`,
          {
            mend: 'Start NGINX, or correct `push` of this point in edgeward.yaml; http.conf names the address it listens on.',
            cause,
          },
        ),
      );
    };
    const headers = {
      authorization: `Bearer ${sender.token}`,
      'edgeward-boot-id': sender.bootId,
      'edgeward-writer': sender.writer,
      'content-length': Buffer.byteLength(body),
    };
    const outgoing = request(new URL(`/edgeward/${path}`, options.url), {
      method,
      agent,
      headers,
      timeout: options.timeoutMs,
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${options.timeoutMs} ms`)));
    outgoing.on('error', unreachable);
    outgoing.on('response', (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', unreachable);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(pieces).toString('utf8') }),
      );
    });
    outgoing.end(body);
  });
}

function parseAnswer(text: string, options: ClientOptions): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw notEdgeward(`the answer is no JSON: ${text.slice(0, 80)}`, options, cause);
  }
}

const MENDS: Record<string, string> = {
  EDW_ERR_POINT_TOKEN:
    'Let `tokenFile` in edgeward.yaml and $edgeward_token_file in http.conf name the same file, readable by the NGINX worker.',
  EDW_ERR_POINT_RESTARTED: 'Nothing to do: the push is tried again at once.',
  EDW_ERR_POINT_TAKEN:
    'Nothing to do where services share this point: the push is tried again. Otherwise stop the other sync service.',
  EDW_ERR_REVISION_OLDER: 'Let one sync service with one state folder push to this point.',
  EDW_ERR_ZONE_TOO_SMALL:
    'Enlarge `zone=edgeward` in http.conf and reload NGINX; the old policy stays in force until then.',
};

/** Looked at once, because every push begins with it: any other server answers something else. */
function stateOf(value: unknown, options: ClientOptions): PointState {
  const { bootId, writer, active } = (value ?? {}) as Record<string, unknown>;
  const known = typeof bootId === 'string' && typeof writer === 'string' && (active === null || isActive(active));
  if (!known) throw notEdgeward(`the answer is no state: ${JSON.stringify(value).slice(0, 80)}`, options);
  return value as PointState;
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
  const code = error.code in MENDS ? error.code : 'EDW_ERR_POINT_REFUSED';
  return new EdgewardError(
    code,
    `NGINX at ${options.url} refused a push to ${options.point}: ${String(error.message ?? answer.status)}`,
    {
      mend: MENDS[code] ?? "Look into NGINX's error log; the module and the sync service may be of different versions.",
    },
  );
}

function notEdgeward(message: string, options: ClientOptions, cause?: unknown): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_POINT_REFUSED',
    `${options.url} does not speak for Edgeward's NGINX module: ${message}`,
    {
      mend: 'Include http.conf in nginx.conf and reload, or correct `push` of this point in edgeward.yaml.',
      cause,
    },
  );
}
