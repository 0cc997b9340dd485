/** Where a ledger is, and how it is configured: the same keys wherever there is one. Paths are relative to their file. */
import { join, resolve } from 'node:path';
import type { EdgewardError } from '@edgeward/runtime';
import * as z from 'zod';
import type { Ledger } from './ledger.ts';
import type { PostgresAccess } from './postgres/access.ts';
import { openPostgresLedger } from './postgres/postgres-ledger.ts';
import { openLedger, openLedgerHere } from './sqlite/sqlite-ledger.ts';

export type LedgerPlace = { kind: 'sqlite'; file: string } | ({ kind: 'postgres' } & PostgresAccess);

export interface LedgerOpening {
  /** Of SQLite: FULL (default) survives a power failure, NORMAL only the death of the process. */
  synchronous?: 'FULL' | 'NORMAL' | undefined;
  /** Of SQLite: it has threads of its own unless told; without them everybody waits for it. */
  threads?: boolean | undefined;
  /** Of SQLite: the events of a day can't be read or written. */
  onDayLost?: ((error: EdgewardError) => void) | undefined;
}

/** Rejects with EDW_ERR_LEDGER_…, EDW_ERR_SECRET_FILE and EDW_ERR_CA_FILE. */
export function openLedgerAt(place: LedgerPlace, opening: LedgerOpening = {}): Promise<Ledger> {
  if (place.kind === 'postgres') return openPostgresLedger(place);
  const { threads = true, synchronous, onDayLost } = opening;
  return (threads ? openLedger : openLedgerHere)({ file: place.file, synchronous, onDayLost });
}

export type PostgresInput = PostgresAccess;

const file = z.string().min(1);

export const postgresSchema: z.ZodType<PostgresInput> = z.strictObject({
  host: z
    .string()
    .min(1)
    .max(255)
    .default('127.0.0.1')
    .describe('Name or address of the server, or the folder of its socket. Beyond loopback only by TLS.'),
  port: z.int().min(1).max(65_535).default(5432).describe('Its port.'),
  database: z.string().min(1).max(63).default('edgeward').describe('Database of this ledger alone; UTF8.'),
  user: z.string().min(1).max(63).default('edgeward').describe('Its owner, or a user with CREATE on it.'),
  passwordFile: file.describe("File with that user's password."),
  caFile: file
    .optional()
    .describe("PEM file with the authority of the server's certificate. Default: the system's authorities."),
  clearText: z
    .boolean()
    .default(false)
    .describe('Whether TLS may be left out beyond loopback; denials can be read on the way then.'),
});

/** SQLite in the state folder, unless a server is named. */
export function ledgerPlace(postgres: PostgresInput | undefined, stateDir: string, base: string): LedgerPlace {
  if (postgres === undefined) return { kind: 'sqlite', file: join(stateDir, 'ledger.db') };
  const { passwordFile, caFile, ...access } = postgres;
  const absolute = (path: string): string => resolve(base, path);
  return {
    kind: 'postgres',
    ...access,
    passwordFile: absolute(passwordFile),
    ...(caFile === undefined ? {} : { caFile: absolute(caFile) }),
  };
}
