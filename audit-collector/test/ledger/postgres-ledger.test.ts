/** The ledger in PostgreSQL: what every ledger promises, on a real server. */
import t from 'tap';
import { requirePostgres } from '../../../test/kit/postgres.ts';
import { ledgerConformance } from '../ledger-conformance.ts';
import { postgresPlace } from './postgres-place.ts';

requirePostgres(t);
const place = await postgresPlace(t, { fsync: false });
ledgerConformance(t, Object.assign(place.make, { runs: 5 }));
