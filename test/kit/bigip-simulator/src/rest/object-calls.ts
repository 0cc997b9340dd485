/** Reading and writing configuration below /mgmt/tm, alone or for a transaction. */
import { notFound } from '../config/mcpd-errors.ts';
import type { SimulatedUser } from '../simulator.ts';
import { type Answer, type Json, json, refuseBox } from './answer.ts';
import { type Call, header, refusePath } from './call.ts';
import { linkTo } from './links.ts';
import { partItems, partItemView, partView } from './object-part.ts';
import { collectionView, objectView, type ViewOptions } from './object-view.ts';
import { filterPartition, pageOf, selected } from './page.ts';
import { planWrite } from './planned-write.ts';
import { type Resource, resourceAt } from './resource.ts';
import type { RestUnit } from './rest-unit.ts';
import { partitionOf } from './roles.ts';
import { deviceViews, groupStatsView, ruleStatsView } from './status-calls.ts';
import { busyAnswer } from './tasks.ts';

export function answerObjects(call: Call, user: SimulatedUser, unit: RestUnit): Answer {
  const path = call.segments.join('/');
  if (path === 'tm/cm/device' || path.startsWith('tm/cm/device/')) return answerDevices(call, unit);
  const resource = resourceAt(call.segments, unit.config);
  if (resource === null) return answerModule(call, unit) ?? refusePath(call);
  if (call.method === 'GET') return json(read(call, resource, unit));
  return write(call, user, resource, unit);
}

function write(call: Call, user: SimulatedUser, resource: Resource, unit: RestUnit): Answer {
  if (unit.tasks.busy()) return busyAnswer;
  const planned = planWrite(call, user, resource, unit);
  const transaction = header(call, 'x-f5-rest-coordination-id');
  if (transaction !== undefined) return unit.transactions.add(transaction, call, planned);
  return planned.answer(unit.config.apply(planned.changes([])));
}

function read(call: Call, resource: Resource, unit: RestUnit): Json {
  if (resource.form === 'collection') return readCollection(call, resource, unit);
  if (resource.form === 'stats') return readStats(resource, unit);
  const { description, fullPath } = resource;
  const object = unit.config.get(description.kind, fullPath);
  if (object === null) throw notFound(description.title, fullPath);
  if (resource.form === 'object') return selected(objectView(object, description, viewOptions(call, unit)), call.query);
  if (resource.item === null) return partView(object, resource.part, unit);
  const name = resource.item.startsWith('/') ? resource.item : `/Common/${resource.item}`;
  const item = partItems(object, resource.part).find((other) => other.fullPath === name);
  if (item === undefined) throw notFound(`${description.title} ${resource.part.property}`, `${fullPath} ${name}`);
  return partItemView(object, resource.part, item, unit);
}

function readCollection(call: Call, { description }: Resource, unit: RestUnit): Json {
  const partition = filterPartition(call.query);
  const objects = unit.config.list(description.kind).filter((object) => {
    return partition === null || ['', partition].includes(partitionOf(object.fullPath));
  });
  const link = (query: string): string => linkTo(description.path, unit.version, query);
  const page = pageOf(objects, call.query, link);
  const options = viewOptions(call, unit);
  const items = page.items.map((object) => selected(objectView(object, description, options), call.query));
  return { ...collectionView(description, items, unit.version), ...page.frame };
}

function readStats(resource: Extract<Resource, { form: 'stats' }>, unit: RestUnit): Json {
  const { description, fullPath } = resource;
  if (description.kind === 'ltm rule') {
    if (fullPath !== null && unit.config.get('ltm rule', fullPath) === null)
      throw notFound(description.title, fullPath);
    return ruleStatsView(unit, fullPath);
  }
  if (description.kind === 'cm device-group' && fullPath !== null) {
    const view = groupStatsView(unit, fullPath);
    if (view === null) throw notFound('device group', fullPath);
    return view;
  }
  return refuseBox(404, `Object not found - /${description.kind.replaceAll(' ', '/')}/stats`, 1);
}

function answerDevices(call: Call, unit: RestUnit): Answer {
  if (call.method !== 'GET') return refuseBox(405, 'Operation is not supported on component /cm/device.', 1);
  const items = deviceViews(unit);
  const name = call.segments[3];
  if (name === undefined) {
    const shown = items.map((item) => selected(item, call.query));
    const kind = 'tm:cm:device:devicecollectionstate';
    return json({ kind, selfLink: linkTo('tm/cm/device', unit.version), items: shown });
  }
  const fullPath = name.startsWith('~') ? name.replaceAll('~', '/') : `/Common/${name}`;
  const device = items.find((item) => item.fullPath === fullPath);
  if (device === undefined) throw notFound('device', fullPath);
  return json(selected(device, call.query));
}

const modules: Record<string, string[]> = {
  ltm: ['data-group', 'node', 'policy', 'pool', 'profile', 'rule', 'virtual'],
  sys: ['config', 'file', 'folder', 'log-config', 'ready', 'version'],
  cm: ['device', 'device-group', 'failover-status', 'sync-status'],
  net: ['route-domain', 'self', 'vlan'],
  auth: ['partition', 'user'],
};

/** GET of a module: what it has, as links. */
function answerModule(call: Call, unit: RestUnit): Answer | null {
  const [tm, module = '', ...more] = call.segments;
  const names = Object.hasOwn(modules, module) ? modules[module] : undefined;
  if (tm !== 'tm' || names === undefined || more.length > 0 || call.method !== 'GET') return null;
  const items = names.map((name) => ({ reference: { link: linkTo(`tm/${module}/${name}`, unit.version) } }));
  const selfLink = linkTo(`tm/${module}`, unit.version);
  return json({ kind: `tm:${module}:${module}collectionstate`, selfLink, items });
}

function viewOptions(call: Call, { version, config }: RestUnit): ViewOptions {
  return { version, config, expand: call.query.get('expandSubcollections') === 'true' };
}
