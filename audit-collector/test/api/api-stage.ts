/** The routes on a real server over a ledger of the test's own, and answers that are held to the document. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, openHttpServer } from '@edgeward/runtime';
import type { Test } from 'tap';
import { type AnswerSchemas, answerSchemas } from '../../src/api/answer-schemas.ts';
import { type DenialApi, denialRoutes, denialStatuses } from '../../src/api/denial-routes.ts';
import type { DenialReader } from '../../src/api/reader.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openLedgerHere } from '../../src/ledger/sqlite/sqlite-ledger.ts';

export const token = 'f00dfeed';

export interface ApiStage {
  ledger: Ledger;
  url: string;
  get(path: string, bearer?: string | null): Promise<{ status: number; json: unknown }>;
  /** A whole answer, with nothing that the document does not say. */
  ask<Name extends keyof AnswerSchemas>(name: Name, path: string): Promise<ReturnType<AnswerSchemas[Name]['parse']>>;
}

/** `through` stands between the routes and the ledger. */
export async function openApi(
  t: Test,
  more: Partial<DenialApi> = {},
  through: (ledger: Ledger) => DenialReader = (ledger) => ledger,
): Promise<ApiStage> {
  const folder = mkdtempSync(join(tmpdir(), 'edgeward-api-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const ledger = await openLedgerHere({ file: join(folder, 'ledger.db'), synchronous: 'NORMAL' });
  t.teardown(() => ledger.close());
  const server = await openHttpServer({
    host: '127.0.0.1',
    port: 0,
    logger: createLogger({ level: 'silent' }),
    routes: denialRoutes({ token, ledger: through(ledger), ...more }),
    statusOf: ({ code }) => denialStatuses[code] ?? 500,
  });
  t.teardown(() => server.close());
  const get: ApiStage['get'] = async (path, bearer = token) => {
    const headers = bearer === null ? {} : { authorization: `Bearer ${bearer}` };
    const answer = await fetch(`${server.url}${path}`, { headers });
    return { status: answer.status, json: await answer.json() };
  };
  return {
    ledger,
    url: server.url,
    get,
    async ask(name, path) {
      const { status, json } = await get(path);
      if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(json)}`);
      return answerSchemas[name].parse(json) as never;
    },
  };
}
