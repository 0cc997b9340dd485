import { parseAddress } from './address.ts';
import type { HttpCondition } from './compiled.ts';
import type { Fields, Report } from './field-reader.ts';
import {
  describe,
  isMapping,
  openFields,
  readChoice,
  readCidr,
  readCidrs,
  readList,
  readName,
  readNames,
  readPorts,
  readString,
  readTime,
} from './field-reader.ts';
import type { Path } from './finding.ts';
import type { Flow } from './flow.ts';
import type { Policy, PolicyTest, Rule, SourceTerm } from './model.ts';
import { parsePort } from './ports.ts';
import { plainHost } from './request.ts';
import { readSelector } from './selector-reader.ts';

/** The Policy document: its rules, the conditions they set, and the tests that guard them. */
const RULE_OPTIONAL = ['services', 'ports', 'http', 'action', 'until', 'why', 'owner', 'reviewed'];

export function readPolicy(value: unknown, report: Report): Policy | null {
  const fields = openFields(value, [], ['kind', 'name', 'rules'], ['tests', 'owner'], report);
  if (fields === null) return null;
  readString(fields, 'owner', '');
  return {
    kind: 'Policy',
    name: readName(fields, 'name'),
    rules: readList(fields, 'rules', true, (entry, path) => readRule(entry, path, report)),
    tests: readList(fields, 'tests', true, (entry, path) => readTest(entry, path, report)),
  };
}

function readRule(value: unknown, path: Path, report: Report): Rule | null {
  const fields = openFields(value, path, ['id', 'from', 'to'], RULE_OPTIONAL, report);
  if (fields === null) return null;
  readString(fields, 'why', '');
  readString(fields, 'owner', '');
  readString(fields, 'reviewed', '');
  return {
    id: readName(fields, 'id'),
    from: readList(fields, 'from', false, (entry, at) => readTerm(entry, path.concat(at), report)),
    to: fields.has('to') ? readSelector(fields, 'to') : [],
    services: readNames(fields, 'services'),
    ports: fields.has('ports') || fields.has('services') ? readPorts(fields, 'ports') : null,
    http: fields.has('http')
      ? readList(fields, 'http', false, (entry, at) => readHttp(entry, path.concat(at), report))
      : null,
    action: readChoice(fields, 'action', ['allow', 'deny'] as const, 'allow'),
    untilMs: readTime(fields, 'until'),
  };
}

function readTerm(value: unknown, path: Path, report: Report): SourceTerm | null {
  const fields = openFields(value, path, [], ['workloads', 'within', 'max', 'network', 'cidr', 'any'], report);
  if (fields === null) return null;
  const given = ['workloads', 'network', 'cidr', 'any'].filter((key) => fields.has(key));
  if (given.length !== 1) {
    const what = given.length === 0 ? 'names no source' : `names several sources: ${given.join(', ')}`;
    fields.report('EDW_ERR_SOURCE_TERM', '', `the entry ${what}`);
    return null;
  }
  const fenced = fields.has('within') ? 'within' : fields.has('max') ? 'max' : null;
  if (fenced !== null && given[0] !== 'workloads') {
    fields.report('EDW_ERR_SOURCE_TERM', fenced, `'${fenced}' goes with 'workloads' only`);
  }
  return readOneTerm(fields, given[0] as string);
}

function readOneTerm(fields: Fields, kind: string): SourceTerm | null {
  if (kind === 'network') return { kind: 'network', name: readName(fields, 'network') };
  if (kind === 'cidr') {
    const interval = readCidr(fields, fields.raw('cidr'), ['cidr']);
    return interval === null ? null : { kind: 'cidr', interval };
  }
  if (kind === 'any') {
    if (fields.raw('any') === true) return { kind: 'any' };
    fields.report('EDW_ERR_SOURCE_TERM', 'any', `'any' must be true, not ${describe(fields.raw('any'))}`);
    return null;
  }
  return {
    kind: 'workloads',
    selector: readSelector(fields, 'workloads'),
    within: fields.has('within') ? readCidrs(fields, 'within', false) : null,
    max: readMax(fields),
  };
}

function readMax(fields: Fields): number | null {
  if (!fields.has('max')) return null;
  const max = fields.raw('max');
  if (typeof max === 'number' && Number.isInteger(max) && max >= 0) return max;
  fields.report('EDW_ERR_TYPE', 'max', `'max' must be a whole number, not ${describe(max)}`);
  return null;
}

function readHttp(value: unknown, path: Path, report: Report): HttpCondition | null {
  const fields = openFields(value, path, [], ['methods', 'path', 'hosts'], report);
  if (fields === null) return null;
  const condition: HttpCondition = {};
  if (fields.has('methods'))
    condition.methods = readList(fields, 'methods', false, (entry, at) => readMethod(fields, entry, at));
  if (fields.has('path')) condition.path = readPath(fields);
  if (fields.has('hosts'))
    condition.hosts = readList(fields, 'hosts', false, (entry, at) => readHost(fields, entry, at));
  if (isMapping(value) && Object.keys(value).length === 0) {
    fields.report('EDW_ERR_HTTP_CONDITION', '', 'the entry sets no condition');
    return null;
  }
  return condition;
}

function readMethod(fields: Fields, value: unknown, at: Path): string | null {
  if (typeof value === 'string' && /^[A-Z][A-Z0-9_-]{0,31}$/.test(value)) return value;
  fields.report('EDW_ERR_HTTP_CONDITION', at, `${describe(value)} is no method; write it in capitals`);
  return null;
}

function readPath(fields: Fields): string {
  const path = readString(fields, 'path', '/');
  if (isPathPattern(path)) return path;
  fields.report('EDW_ERR_HTTP_PATH', 'path', `${describe(path)} is no path`);
  return '/';
}

function isPathPattern(path: string): boolean {
  const base = path.slice(-2) === '/*' ? path.slice(0, -1) : path;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  if (path.charAt(0) !== '/' || /[%?#*\\\x00-\x1f\x7f]|\/\//.test(base)) return false;
  return base.split('/').every((segment) => segment !== '.' && segment !== '..' && !/^\.\.?;/.test(segment));
}

function readHost(fields: Fields, value: unknown, at: Path): string | null {
  const host =
    typeof value === 'string' && /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})$/.test(value) ? plainHost(value) : null;
  if (typeof host === 'string') return host;
  fields.report('EDW_ERR_HTTP_CONDITION', at, `${describe(value)} is no host name; write it without port and wildcard`);
  return null;
}

function readTest(value: unknown, path: Path, report: Report): PolicyTest | null {
  const fields = openFields(value, path, ['from', 'to', 'port', 'expect'], ['request'], report);
  if (fields === null) return null;
  const flow: Flow = {
    from: readString(fields, 'from', ''),
    to: readName(fields, 'to'),
    port: readString(fields, 'port', ''),
  };
  if (fields.has('from') && parseAddress(flow.from) === null)
    fields.report('EDW_ERR_ADDRESS', 'from', `${describe(fields.raw('from'))} is no address`);
  if (fields.has('port') && parsePort(flow.port) === null)
    fields.report('EDW_ERR_PORT', 'port', `${describe(fields.raw('port'))} is no port`);
  if (fields.has('request')) {
    const request = /^([A-Z][A-Z0-9_-]*) (\S+)$/.exec(readString(fields, 'request', 'GET /'));
    if (request === null)
      fields.report('EDW_ERR_TYPE', 'request', `'request' must be a method and a path, such as GET /v1/orders`);
    else {
      flow.method = request[1] as string;
      flow.path = request[2] as string;
    }
  }
  return { flow, expect: readChoice(fields, 'expect', ['allow', 'deny'] as const, 'deny') };
}
