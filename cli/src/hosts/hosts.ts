/** `edgeward hosts …`: who may be a host, said where the sync service runs. */
import type { Family } from '../frame/command.ts';
import { invite } from './invite.ts';
import { list } from './list.ts';

export const hosts: Family = {
  name: 'hosts',
  summary: 'Where the sync service runs: invite a host, list who is enrolled.',
  about: [
    'They work on files in the state folder of the service, as its user or as root; whoever may write there may invite. `edgeward agent enrol` is the other half, on the host. How a host stands is said by `edgeward status`.',
  ],
  commands: [invite, list],
};
