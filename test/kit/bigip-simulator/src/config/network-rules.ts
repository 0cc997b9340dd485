/** Route domains, and where logs go. */
import { invalidProperty } from './mcpd-errors.ts';
import { merged, type ObjectRules } from './object-rules.ts';
import { absolute, folderOf, nameOf, partitionOf } from './paths.ts';
import { named, oneOf, text, withoutAbsent } from './property-values.ts';

export const routeDomainDefaults = { connectionLimit: 0, strict: 'enabled', throughputCapacity: 'infinite' };

export const routeDomain: ObjectRules = {
  defaults: routeDomainDefaults,
  properties(write) {
    const all = merged(write, routeDomainDefaults);
    const id = all.id ?? (/^\d+$/.test(nameOf(write.fullPath)) ? Number(nameOf(write.fullPath)) : undefined);
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > 65534) throw invalidProperty('id', all.id);
    return { ...all, id };
  },
};

const hslDefaults = { distribution: 'adaptive', protocol: 'tcp' };

/** `sys log-config destination remote-high-speed-log` */
export const highSpeedLog: ObjectRules = {
  defaults: hslDefaults,
  properties(write) {
    const all = merged(write, hslDefaults);
    const pool = text(all, 'poolName');
    if (pool === undefined) throw invalidProperty('poolName', write.body.poolName);
    const protocol = oneOf(all, 'protocol', ['tcp', 'udp']) ?? 'tcp';
    return { ...all, poolName: absolute(pool, folderOf(write.fullPath)), protocol };
  },
  references: ({ properties }) => [{ family: 'pool', fullPath: String(properties.poolName) }],
};

export const publisher: ObjectRules = {
  properties(write) {
    const all = merged(write);
    const folder = folderOf(write.fullPath);
    const destinations = named(all, 'destinations').map(({ name, partition }) => {
      const fullPath = absolute(name, typeof partition === 'string' ? `/${partition}` : folder);
      return { name: nameOf(fullPath), partition: partitionOf(fullPath), fullPath };
    });
    return withoutAbsent({ ...all, destinations });
  },
  references: ({ properties }) =>
    named(properties, 'destinations').map(({ fullPath }) => ({ family: 'destination', fullPath: String(fullPath) })),
};
