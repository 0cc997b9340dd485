/** `edgeward store …`: a store, and what people do about it from their own machines. */
import { storeByName } from '../everyday-commands.ts';
import type { Family } from '../frame/command.ts';
import { accept } from './change/accept.ts';
import { approve } from './change/approve.ts';
import { followUp } from './change/follow-up.ts';
import { grant } from './change/grant.ts';
import { propose } from './change/propose.ts';
import { publish } from './change/publish.ts';
import { reject } from './change/reject.ts';
import { restore } from './change/restore.ts';
import { review } from './change/review.ts';
import { root } from './change/root.ts';
import { certificate } from './folder/certificate.ts';
import { init } from './folder/init.ts';
import { natsAccountsCommand } from './folder/nats-accounts.ts';
import { serve } from './folder/serve.ts';
import { serverKeyCommand } from './folder/server-key.ts';
import { key } from './keys/key.ts';
import { log } from './record/log.ts';
import { verify } from './record/verify.ts';
import { rollout } from './status/rollout.ts';
import { status } from './status/status.ts';

export const store: Family = {
  name: storeByName.name,
  summary: storeByName.summary,
  about: [
    'Policy of many points is decided by people: one proposes, others approve, each on their own machine and with their own key; a store serves what was approved, and every point verifies the signatures. init, key, certificate, server-key, nats-accounts, serve and `verify DIR` work on files; the others ask a store that runs.',
    'Who you are to a store stands in a profile, ~/.config/edgeward/store.yaml or --profile FILE: url (https://HOST:PORT), certFile, keyFile, caFile (from `store certificate`), rootFile (the trust root that you pinned) and, to sign, signingKeyFile (from `store key`). Paths are relative to it. Every key can be given as an option instead.',
  ],
  commands: [
    key,
    init,
    certificate,
    serve,
    propose,
    review,
    approve,
    reject,
    publish,
    restore,
    grant,
    rollout,
    status,
    accept,
    followUp,
    log,
    verify,
    root,
    serverKeyCommand,
    natsAccountsCommand,
  ],
};
