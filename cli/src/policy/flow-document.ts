/** One line of NDJSON, from bytes to a flow that can be judged, or why it can't be read. */
import { isUtf8 } from 'node:buffer';
import { type Flow, parseAddress, parsePort } from '@edgeward/policy';
import { messageOf } from '@edgeward/runtime';
import { type FlowLine, maxFlowLineBytes } from './flow-lines.ts';

interface FlowError {
  code: 'EDW_ERR_FLOW_TOO_LONG' | 'EDW_ERR_FLOW_JSON' | 'EDW_ERR_FLOW';
  message: string;
}

export type FlowRead = { flow: Flow } | { error: FlowError };

/** A flow and what became of it, as somebody recorded it. */
export interface RecordedFlow {
  flow: Flow;
  /** Null: the line does not say. A `would-deny` was a denial. */
  verdict: 'allow' | 'deny' | null;
  reason: string | null;
  rule: string | null;
  /** How often; 1 where the line does not say. */
  count: number;
}

export function readFlow(line: FlowLine): FlowRead {
  const read = readLine(line);
  return 'error' in read ? read : flowOf(read.given);
}

export function readRecordedFlow(line: FlowLine): RecordedFlow | { error: FlowError } {
  const read = readLine(line);
  if ('error' in read) return read;
  const flow = flowOf(read.given);
  if ('error' in flow) return flow;
  const { verdict = null, count = 1, reason = null, rule = null } = read.given as Record<string, unknown>;
  const known = verdict === null ? null : verdicts.get(verdict);
  if (known === undefined) return failed('EDW_ERR_FLOW', `'verdict' is neither allow nor deny nor would-deny`);
  if (!Number.isSafeInteger(count) || Number(count) < 1)
    return failed('EDW_ERR_FLOW', `'count' is no whole number above 0`);
  return { ...flow, verdict: known, reason: textOrNull(reason), rule: textOrNull(rule), count: Number(count) };
}

const verdicts = new Map<unknown, 'allow' | 'deny'>([
  ['allow', 'allow'],
  ['deny', 'deny'],
  ['would-deny', 'deny'],
]);

/** Long ones are nobody's rule. */
function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value.length <= 64 ? value : null;
}

function readLine(line: FlowLine): { given: unknown } | { error: FlowError } {
  if (line === 'too-long') {
    return failed('EDW_ERR_FLOW_TOO_LONG', `the line is longer than ${maxFlowLineBytes} bytes`);
  }
  if (!isUtf8(line)) return failed('EDW_ERR_FLOW_JSON', 'the line is not UTF-8');
  const text = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8');
  if (text.trim() === '') return failed('EDW_ERR_FLOW_JSON', 'the line is empty');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    return failed('EDW_ERR_FLOW_JSON', `the line is no JSON: ${messageOf(thrown)}`);
  }
  return { given: value };
}

function flowOf(value: unknown): FlowRead {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return failed('EDW_ERR_FLOW', 'a flow is an object with from, to and port');
  }
  const given = value as Record<string, unknown>;
  const problem = problemIn(given);
  if (problem !== null) return failed('EDW_ERR_FLOW', problem);
  const { from, to, port, method, path, host, forwardedFor } = given as unknown as Flow;
  const flow: Flow = { from, to, port };
  // A null is a field that the writer had nothing for.
  if (typeof method === 'string') flow.method = method;
  if (typeof path === 'string') flow.path = path;
  if (typeof host === 'string' || Array.isArray(host)) flow.host = host;
  if (typeof forwardedFor === 'string') flow.forwardedFor = forwardedFor;
  return { flow };
}

function problemIn(given: Record<string, unknown>): string | null {
  for (const key of ['from', 'to', 'port']) {
    if (!Object.hasOwn(given, key)) return `'${key}' is missing`;
    if (typeof given[key] !== 'string') return `'${key}' is no string`;
  }
  if (parseAddress(String(given.from)) === null) return `'from' is no address`;
  if (parsePort(String(given.port)) === null) return `'port' is no port such as tcp/443`;
  for (const key of ['method', 'path', 'forwardedFor']) {
    if (!isAbsent(given[key]) && typeof given[key] !== 'string') return `'${key}' is no string`;
  }
  const { host } = given;
  const readable = isAbsent(host) || typeof host === 'string' || isStringList(host);
  return readable ? null : `'host' is neither a string nor a list of strings`;
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function isStringList(value: unknown): boolean {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}

function failed(code: FlowError['code'], message: string): { error: FlowError } {
  return { error: { code, message } };
}
