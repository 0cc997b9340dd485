/** `edgeward nginx …`: what a person does about an NGINX beside the sync service. */
import type { Family } from '../frame/command.ts';
import { check } from './check.ts';
import { discover } from './discover.ts';
import { snippets } from './snippets.ts';
import { whoami } from './whoami.ts';

export const nginx: Family = {
  name: 'nginx',
  summary: 'NGINX points: snippets, check, discover, whoami.',
  about: [
    'The sync service writes policy; these commands write the files that your NGINX includes, and read its configuration as `nginx -T` prints it.',
    'check, discover and whoami only read, and ask nothing of a running NGINX.',
  ],
  commands: [snippets, check, discover, whoami],
};
