/** `edgeward bigip …`: what a person does about a BIG-IP beside the sync service. */
import type { Family } from '../frame/command.ts';
import { attach, detach } from './attachments.ts';
import { discover } from './discover.ts';
import { exportCommand } from './export.ts';
import { plan } from './plan.ts';
import { simulate } from './simulate.ts';
import { verify } from './verify.ts';

export const bigip: Family = {
  name: 'bigip',
  summary: 'BIG-IP points: discover, plan, attach, verify, export, simulate.',
  about: [
    'The sync service writes policy; these commands show what stands on a box and what would change, and attach the rules to virtual servers, once.',
    'Address and credentials come from edgeward.yaml. discover, plan, verify and export only read.',
  ],
  commands: [discover, plan, attach, detach, verify, exportCommand, simulate],
};
