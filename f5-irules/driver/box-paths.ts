/** Where things stand in iControl REST, below `/mgmt/`. What the driver reads and writes is no more than this. */
import { PARTITION } from './layout/index.ts';

export const INTERNAL_GROUPS = 'tm/ltm/data-group/internal';
export const EXTERNAL_GROUPS = 'tm/ltm/data-group/external';
export const GROUP_FILES = 'tm/sys/file/data-group';
export const RULES = 'tm/ltm/rule';
export const RULE_STATS = 'tm/ltm/rule/stats';
export const VIRTUALS = 'tm/ltm/virtual';
export const HTTP_PROFILES = 'tm/ltm/profile/http';
export const FASTL4_PROFILES = 'tm/ltm/profile/fastl4';
export const PUBLISHERS = 'tm/sys/log-config/publisher';
export const OWN_PARTITION: string = `tm/auth/partition/${PARTITION}`;
export const SYSTEM_CONFIG = 'tm/sys/config';
export const UNIX_RM = 'tm/util/unix-rm';
export const CLUSTER = 'tm/cm';
export const DEVICES = 'tm/cm/device';
export const DEVICE_GROUPS = 'tm/cm/device-group';
export const SYNC_STATUS = 'tm/cm/sync-status';

/** What this saves is ours alone: others' unsaved work stays theirs. */
export const OWN_SAVE: { command: string; options: { partitions: string }[] } = {
  command: 'save',
  options: [{ partitions: `{ ${PARTITION} }` }],
};

/** The only filter that boxes of all versions take. */
export const IN_PARTITION: string = `partition eq ${PARTITION}`;

/** `/Edgeward/eg_map` */
export function inPartition(name: string): string {
  return `/${PARTITION}/${name}`;
}
