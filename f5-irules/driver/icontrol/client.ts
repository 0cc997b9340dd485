/** The client itself: each operation of `Icontrol` as one or a few calls, writes one after the other. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '@edgeward/runtime';
import type { Call } from './call.ts';
import { type Caller, createCaller } from './caller.ts';
import { sameObject } from './canonical.ts';
import { failure } from './failures.ts';
import type { Icontrol, Json } from './icontrol.ts';
import { listAll } from './listing.ts';
import { checkedPath, createdPath, searchOf } from './object-path.ts';
import { createTransport } from './transport.ts';
import { uploadFile } from './upload.ts';
import { validateChange } from './validation.ts';
import { createQueue, type ReadBack, write } from './writing.ts';

export interface IcontrolOptions {
  /** `https://bigip-a.example`; anything but https:// and a host is EDW_ERR_BIGIP_URL. */
  url: string;
  user: string;
  /** Read at each login. Open to others it is EDW_ERR_SECRET_FILE. */
  passwordFile: string;
  /** PEM of the authorities to believe; without it those of the system. There is no way to believe everybody. */
  ca?: string;
  logger: Logger;
  /**
   * Of one call with its repeats while the box is busy. Reading back a write without answer begins no look after as
   * long again, and a login has 30 s at most. Default 90 s: Jetty gives up after 60.
   */
  timeoutMs?: number;
  /** `loginProviderName`; `tmos` serves remote users too. */
  loginProvider?: string;
  /** Of an answer, and of all pages of a list together. Default 32 MiB. */
  maxAnswerBytes?: number;
  /** The first pause while the box is busy, at most. Default 1 s; each next one is up to twice as long, 10 s at most. */
  retryBaseMs?: number;
  /** Between the first two looks after a write without answer; then twice that, and so on. Default 500 ms. */
  lookPauseMs?: number;
  /** Milliseconds of any clock that never goes back. */
  now?: () => number;
}

const TIMEOUT_MS = 90_000;
const LOGIN_MS = 30_000;
const CONNECT_MS = 10_000;
const CLOSE_MS = 5_000;
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

/** Connects at the first call. Throws EDW_ERR_BIGIP_URL and EDW_ERR_BIGIP_CERTIFICATE. */
export function createIcontrol(options: IcontrolOptions): Icontrol {
  const { logger, timeoutMs = TIMEOUT_MS, maxAnswerBytes = MAX_ANSWER_BYTES } = options;
  const transport = createTransport({ ...options, maxAnswerBytes, connectTimeoutMs: Math.min(CONNECT_MS, timeoutMs) });
  const now = options.now ?? (() => performance.now());
  const caller = createCaller({
    transport,
    logger,
    user: options.user,
    passwordFile: options.passwordFile,
    loginProvider: options.loginProvider ?? 'tmos',
    loginTimeoutMs: Math.min(LOGIN_MS, timeoutMs),
    timeoutMs,
    retryBaseMs: options.retryBaseMs ?? 1000,
    now,
  });
  const origin = transport.origin;
  const looking = { logger, now, lookMs: timeoutMs, lookPauseMs: options.lookPauseMs ?? 500 };
  const running = new Set<Promise<unknown>>();
  const queue = createQueue();
  let closing: Promise<void> | null = null;

  /** Calls made before the end of the client come to theirs, and none begins after it. */
  const read = <T>(job: () => Promise<T>): Promise<T> => {
    const result = closing === null ? job() : Promise.reject(closedError(origin));
    const tracked = result.then(
      () => void running.delete(tracked),
      () => void running.delete(tracked),
    );
    running.add(tracked);
    return result;
  };
  const writeInTurn = <T>(job: () => Promise<T>): Promise<T> => queue(() => read(job));
  const writeBack = <T>(call: Call, readBack: ReadBack<T>) => write(caller, call, readBack, looking);

  return {
    url: origin,
    version: () => read(() => versionOf(caller, origin)),
    get: (path, query) => read(async () => getObject(caller, path, searchOf(query))),
    list: (path, query) =>
      read(async () => listAll(caller, checkedPath(path), searchOf(query), { origin, maxBytes: maxAnswerBytes })),
    create: (path, body) =>
      writeInTurn(async () => {
        const own = createdPath(path, body);
        return madeOf(
          await writeBack({ method: 'POST', path, body }, async () =>
            own === null ? null : equalAt(caller, own, body),
          ),
          path,
        );
      }),
    modify: (path, body) =>
      writeInTurn(async () =>
        madeOf(
          await writeBack({ method: 'PATCH', path, body }, async () =>
            isTouch(body) ? null : equalAt(caller, path, body),
          ),
          path,
        ),
      ),
    remove: (path) =>
      writeInTurn(async () => {
        const gone: ReadBack<true> = async () => ((await getObject(caller, path, '')) === null ? true : null);
        return (await writeBack({ method: 'DELETE', path }, gone)).state !== 'absent';
      }),
    // Nothing tells afterwards whether a command ran.
    run: (path, body) => writeInTurn(async () => commandOf(caller, path, body)),
    upload: (file, totalBytes, pieces) => writeInTurn(() => uploadFile(caller, file, totalBytes, pieces)),
    validate: (change) => writeInTurn(() => validateChange(caller, change, { logger, pauseMs: looking.lookPauseMs })),
    sent: () => caller.sent(),
    close() {
      closing ??= closeAll(caller, running, Math.min(CLOSE_MS, timeoutMs));
      return closing;
    },
  };
}

async function getObject(caller: Caller, path: string, search: string): Promise<Json | null> {
  const verdict = await caller.call({ method: 'GET', path, search });
  if (verdict.state === 'failed') throw verdict.error;
  return verdict.state === 'absent' ? null : verdict.body;
}

/** What stands there, if it is what was asked. Collections below it are read along, as they may have been asked. */
async function equalAt(caller: Caller, path: string, asked: Json): Promise<Json | null> {
  const hasParts = Object.values(asked).some((value) => Array.isArray(value)) && asked.records === undefined;
  const found = await getObject(caller, path, hasParts ? searchOf({ expandSubcollections: 'true' }) : '');
  return found !== null && sameObject(asked, found) ? found : null;
}

/** A file is read anew when its name is written again: the same words before and after, which tell nothing. */
function isTouch(body: Json): boolean {
  return 'sourcePath' in body || 'externalFileName' in body;
}

function madeOf(written: Awaited<ReturnType<typeof write<Json>>>, path: string): Json {
  if (written.state === 'done') return written.body;
  if (written.state === 'found') return written.found;
  throw failure('EDW_ERR_BIGIP_NOT_FOUND', `writing ${path}: ${written.text}`);
}

async function commandOf(caller: Caller, path: string, body: Json): Promise<Json> {
  const verdict = await caller.call({ method: 'POST', path, body });
  if (verdict.state === 'failed') throw verdict.error;
  if (verdict.state === 'absent') throw failure('EDW_ERR_BIGIP_NOT_FOUND', `running ${path}: ${verdict.text}`);
  return verdict.body;
}

async function versionOf(caller: Caller, origin: string): Promise<string> {
  if (caller.version() === null) await getObject(caller, 'tm/sys/version', '');
  const version = caller.version();
  if (version !== null) return version;
  throw failure('EDW_ERR_BIGIP_ANSWER', `asking ${origin} for its version: no answer tells one`);
}

async function closeAll(caller: Caller, running: Set<Promise<unknown>>, limitMs: number): Promise<void> {
  const patience = new AbortController();
  const limit = sleep(limitMs, undefined, { signal: patience.signal }).catch(() => {});
  await Promise.race([Promise.all(running), limit]);
  patience.abort();
  await caller.close();
}

function closedError(origin: string): Error {
  return failure('EDW_ERR_POINT_UNREACHABLE', `calling ${origin}: the client is closed`);
}
