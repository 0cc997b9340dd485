/** The dashboard of points: which policy each holds, which it should, and what keeps it from that. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard } from '../dashboard.ts';
import { uids } from '../links.ts';
import { fleetVariables } from '../variables.ts';
import { change } from './change.ts';
import { hosts } from './hosts.ts';
import { proof } from './proof.ts';
import { state } from './state.ts';
import { store } from './store.ts';

export const fleet = (): Dashboard =>
  dashboard({
    uid: uids.fleet,
    title: 'Edgeward / Fleet',
    description:
      'Which revision of the policy each point holds and should hold, when it was last heard of, and what was changed behind our back.',
    from: 'now-3h',
    variables: fleetVariables,
    rows: [state, proof, change, hosts, store],
  });
