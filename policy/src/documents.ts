import type { PortRange } from './compiled.ts';
import type { Fields, Report } from './field-reader.ts';
import {
  describe,
  isMapping,
  openFields,
  readAddresses,
  readChoice,
  readCidrs,
  readName,
  readPorts,
  readString,
  readTime,
} from './field-reader.ts';
import type { Mode } from './flow.ts';
import type { Document, Network, PointDocument, Service, VirtualServer, Workload } from './model.ts';
import { formatPortRange, normalisePorts } from './ports.ts';
import { readPolicy } from './rules.ts';
import type { Labels } from './selector.ts';
import { isLabelKey, isLabelValue } from './selector-parser.ts';

/**
 * One document of a policy directory, from unknown to typed. What a document says about others (names that must
 * exist, selectors that must select something) is checked afterwards, in `linking`.
 */
const MODES: readonly Mode[] = ['enforce', 'observe', 'off'];
const BIND = /^\/?[A-Za-z0-9][A-Za-z0-9._/-]{0,254}$/;

export function readDocument(value: unknown, report: Report): Document | null {
  if (!isMapping(value)) {
    report('EDW_ERR_DOCUMENT', [], `a document must be a mapping, not ${describe(value)}`);
    return null;
  }
  const kind = value.kind;
  const read =
    typeof kind === 'string' && Object.prototype.hasOwnProperty.call(READERS, kind) ? READERS[kind] : undefined;
  if (read === undefined) {
    if (kind === undefined) report('EDW_ERR_MISSING_KEY', [], "the document needs the key 'kind'");
    else report('EDW_ERR_UNKNOWN_KIND', ['kind'], `unknown kind ${describe(kind)}`);
    return null;
  }
  return read(value, report);
}

const READERS: Record<string, (value: unknown, report: Report) => Document | null> = {
  Workload: readWorkload,
  Point: readPoint,
  Network: readNetwork,
  Service: readService,
  VirtualServer: readVirtualServer,
  Policy: readPolicy,
};

function readWorkload(value: unknown, report: Report): Workload | null {
  const fields = openFields(
    value,
    [],
    ['kind', 'name', 'labels', 'addresses'],
    ['point', 'ports', 'mode', 'owner'],
    report,
  );
  if (fields === null) return null;
  readString(fields, 'owner', '');
  const point = fields.has('point') ? readName(fields, 'point') : null;
  if (point === null && (fields.has('mode') || fields.has('ports'))) {
    fields.report(
      'EDW_WARN_NO_POINT',
      fields.has('mode') ? 'mode' : 'ports',
      'the workload has no point that could enforce this',
    );
  }
  return {
    kind: 'Workload',
    name: readName(fields, 'name'),
    labels: readLabels(fields),
    addresses: readAddresses(fields, 'addresses'),
    point,
    ports: fields.has('ports') ? normalisePorts(readPorts(fields, 'ports')) : null,
    mode: readChoice(fields, 'mode', MODES, 'observe'),
  };
}

function readPoint(value: unknown, report: Report): PointDocument | null {
  const fields = openFields(value, [], ['kind', 'name', 'management'], ['owner'], report);
  if (fields === null) return null;
  readString(fields, 'owner', '');
  return { kind: 'Point', name: readName(fields, 'name'), management: readCidrs(fields, 'management', true) };
}

function readNetwork(value: unknown, report: Report): Network | null {
  const fields = openFields(value, [], ['kind', 'name', 'cidrs'], ['except', 'owner', 'expires'], report);
  if (fields === null) return null;
  readString(fields, 'owner', '');
  return {
    kind: 'Network',
    name: readName(fields, 'name'),
    cidrs: readCidrs(fields, 'cidrs', true),
    except: readCidrs(fields, 'except', true),
    expiresMs: readTime(fields, 'expires'),
  };
}

function readService(value: unknown, report: Report): Service | null {
  const fields = openFields(value, [], ['kind', 'name', 'ports'], ['owner'], report);
  if (fields === null) return null;
  readString(fields, 'owner', '');
  return { kind: 'Service', name: readName(fields, 'name'), ports: normalisePorts(readPorts(fields, 'ports')) };
}

function readVirtualServer(value: unknown, report: Report): VirtualServer | null {
  const required = ['kind', 'name', 'labels', 'point', 'bind', 'ports'];
  const fields = openFields(value, [], required, ['protocol', 'trustedProxies', 'mode', 'owner'], report);
  if (fields === null) return null;
  readString(fields, 'owner', '');
  const protocol = readChoice(fields, 'protocol', ['http', 'tcp'] as const, 'http');
  const ports = readPorts(fields, 'ports');
  if (protocol === 'http') refuseUdp(fields, ports);
  return {
    kind: 'VirtualServer',
    name: readName(fields, 'name'),
    labels: readLabels(fields),
    point: readName(fields, 'point'),
    bind: readBind(fields),
    ports: normalisePorts(ports),
    protocol,
    trustedProxies: readCidrs(fields, 'trustedProxies', true),
    mode: readChoice(fields, 'mode', MODES, 'observe'),
  };
}

function refuseUdp(fields: Fields, ports: PortRange[]): void {
  ports.forEach((range) => {
    if (range.protocol !== 'udp') return;
    const listed = fields.raw('ports') as unknown[];
    const index = listed.indexOf(formatPortRange(range));
    fields.report(
      'EDW_ERR_UDP_ON_HTTP',
      ['ports', Math.max(index, 0)],
      `${formatPortRange(range)} on an object whose requests are judged; HTTP/3 is not served`,
    );
  });
}

function readBind(fields: Fields): string {
  const bind = readString(fields, 'bind', '');
  if (bind === '' ? !fields.has('bind') : BIND.test(bind)) return bind;
  if (typeof fields.raw('bind') === 'string') {
    fields.report(
      'EDW_ERR_NAME',
      'bind',
      `'bind' is no name that a balancer can have: ${describe(fields.raw('bind'))}`,
    );
  }
  return '';
}

function readLabels(fields: Fields): Labels {
  const labels: Labels = Object.create(null);
  if (!fields.has('labels')) return labels;
  const value = fields.raw('labels');
  if (!isMapping(value)) {
    fields.report('EDW_ERR_TYPE', 'labels', `'labels' must be a mapping, not ${describe(value)}`);
    return labels;
  }
  Object.keys(value).forEach((key) => {
    const label = value[key];
    const path = ['labels', key];
    if (!isLabelKey(key)) fields.report('EDW_ERR_LABEL', path, `${describe(key)} is no label key`);
    else if (typeof label !== 'string')
      fields.report('EDW_ERR_LABEL_NOT_STRING', path, `the label '${key}' is ${describe(label)}, which is no string`);
    else if (!isLabelValue(label)) fields.report('EDW_ERR_LABEL', path, `${describe(label)} is no label value`);
    else labels[key] = label;
  });
  return labels;
}
