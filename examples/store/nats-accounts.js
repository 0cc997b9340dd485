/**
 * The users of NATS and their rights, as `nats-server` reads them: `node examples/store/nats-accounts.js > accounts.conf`,
 * then `include accounts.conf` on every node. A password may stand here as its bcrypt hash: `nats server passwd` makes one.
 * Each user's own file, for `credentialsFile`, is the line `user:password`, mode 0600. For nkeys write `{ nkey: 'U…' }`.
 */
import { natsAccounts } from '@edgeward/policy-feed';

process.stdout.write(
  natsAccounts({
    store: { user: 'store', password: 'change-me' },
    // One for each sync service, with the points that it serves.
    points: [
      { login: { user: 'edge-1', password: 'change-me-too' }, points: ['edge-1'] },
      { login: { user: 'site-2', password: 'and-me' }, points: ['edge-2', 'dc1'] },
    ],
  }),
);
