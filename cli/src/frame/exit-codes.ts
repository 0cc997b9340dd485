/**
 * What the process ends with. The numbers are relied on by scripts, so each has one meaning in every command, and a
 * coded error always ends in the same one.
 */
import { POLICY_ERRORS } from '@edgeward/policy';
import { EdgewardError, messageOf } from '@edgeward/runtime';

export const exitMeanings = {
  0: 'done',
  1: 'a bug in Edgeward',
  2: 'the command line is wrong',
  3: 'a finding: the answer is no',
  4: 'no answer in time',
  69: 'unreachable: the sync service, a point, or a Node that can run this',
  75: 'try again later',
  78: 'the configuration, or a file or directory that it needs, is invalid',
} as const;

export type ExitCode = keyof typeof exitMeanings;

export const exitCodes: readonly ExitCode[] = [0, 1, 2, 3, 4, 69, 75, 78];

/** Whatever is in no list is 1: a coded error that nobody expected here. */
const codesByExit: Partial<Record<ExitCode, readonly string[]>> = {
  2: [
    'EDW_ERR_USAGE',
    'EDW_ERR_FLOWS_FILE',
    'EDW_ERR_OUT_FILE',
    'EDW_ERR_OUT_FOLDER',
    'EDW_ERR_EXPORT_REVISION',
    'EDW_ERR_NGINX_PATH',
    'EDW_ERR_UNKNOWN_USER',
  ],
  3: [
    'EDW_ERR_POLICY_INVALID',
    'EDW_ERR_TOO_FRAGMENTED',
    'EDW_ERR_UNKNOWN_POINT',
    'EDW_ERR_UNKNOWN_REFERENCE',
    'EDW_ERR_NOTHING_HELD',
    'EDW_ERR_HELD_OTHER',
    'EDW_ERR_BIGIP_BIND',
    'EDW_ERR_BIGIP_GROUP',
    'EDW_ERR_BIGIP_NAME',
    'EDW_ERR_BIGIP_NO_ENTRY',
    'EDW_ERR_BIGIP_NO_HTTP',
    'EDW_ERR_BIGIP_NO_RULES',
    'EDW_ERR_BIGIP_PARTITION',
    'EDW_ERR_BIGIP_REFUSED',
    'EDW_ERR_BIGIP_VIRTUAL',
  ],
  4: ['EDW_ERR_TIMEOUT', 'EDW_ERR_DEMO'],
  69: [
    'EDW_ERR_SERVICE_UNREACHABLE',
    'EDW_ERR_SERVICE_ANSWER',
    'EDW_ERR_HTTP_NOT_FOUND',
    'EDW_ERR_POINT_UNREACHABLE',
    'EDW_ERR_BIGIP_ANSWER',
    'EDW_ERR_BIGIP_NO_ACTIVE',
    'EDW_ERR_NGINX_NOT_FOUND',
    'EDW_ERR_NGINX_FETCH',
    'EDW_ERR_NGINX_START',
    'EDW_ERR_TCLSH_FAILED',
    'EDW_ERR_TCLSH_NOT_FOUND',
  ],
  75: [
    'EDW_ERR_SERVICE_BUSY',
    'EDW_ERR_BIGIP_BUSY',
    'EDW_ERR_BIGIP_FAILOVER',
    'EDW_ERR_BIGIP_NOT_FOUND',
    'EDW_ERR_BIGIP_NOT_SYNCED',
    'EDW_ERR_BIGIP_TOKENS_EXHAUSTED',
    'EDW_ERR_BIGIP_VIRTUAL_CHANGED',
    'EDW_ERR_OUTPUT',
    'EDW_ERR_PORT_IN_USE',
    'EDW_ERR_STATE_IN_USE',
    'EDW_ERR_LEDGER_BUSY',
    'EDW_ERR_LEDGER_CONTENDED',
    'EDW_ERR_LEDGER_WRITE',
  ],
  78: [
    'EDW_ERR_CONFIG',
    'EDW_ERR_CONFIG_FILE',
    'EDW_ERR_SECRET_FILE',
    'EDW_ERR_SIMULATOR_CONFIG',
    'EDW_ERR_BIGIP_CERTIFICATE',
    'EDW_ERR_BIGIP_LOGIN',
    'EDW_ERR_BIGIP_NO_PAIR',
    'EDW_ERR_BIGIP_RIGHTS',
    'EDW_ERR_BIGIP_URL',
    'EDW_ERR_CA_FILE',
    'EDW_ERR_HTTP_TOKEN',
    'EDW_ERR_LISTEN',
    'EDW_ERR_LISTEN_ADDRESS',
    'EDW_ERR_POLICY_DIR',
    'EDW_ERR_STATE_READ',
    'EDW_ERR_STATE_WRITE',
    'EDW_ERR_LEDGER_DAMAGED',
    'EDW_ERR_LEDGER_NEWER',
    'EDW_ERR_LEDGER_UNWRITABLE',
    'EDW_ERR_NGINX_CONFIG',
  ],
};

const exitByCode = new Map(
  exitCodes.flatMap((exit) => (codesByExit[exit] ?? []).map((code): [string, ExitCode] => [code, exit])),
);

export function exitCodeOf(error: EdgewardError): ExitCode {
  return exitByCode.get(error.code) ?? 1;
}

/** Whatever was thrown as a coded error; what carries no code of ours is a bug. */
export function codedError(thrown: unknown): EdgewardError {
  if (thrown instanceof EdgewardError) return thrown;
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  const mend = Object.hasOwn(POLICY_ERRORS, code) ? POLICY_ERRORS[code as keyof typeof POLICY_ERRORS] : null;
  if (mend !== null) return new EdgewardError(code, messageOf(thrown), { mend, cause: thrown });
  return new EdgewardError('EDW_ERR_INTERNAL', `a bug in Edgeward: ${messageOf(thrown)}`, {
    mend: 'Please report it with the command line and what is printed here.',
    cause: thrown,
  });
}
