/**
 * What every mutant of `decide` and of the interval search must fail: cheap tables first, then the vectors, then short
 * searches with a fixed seed. A plain process that ends with 1 at the first claim that does not hold.
 */
import { decideClaims } from './claims/decide-claims.ts';
import { checkDecide } from './claims/decide-property.ts';
import { intervalTableClaims } from './claims/interval-table-claims.ts';
import { checkIntervalTables } from './claims/interval-table-property.ts';
import { vectorClaims } from './claims/vector-claims.ts';

const SEED = 4411;

const claims = [
  ...decideClaims,
  ...intervalTableClaims,
  ...vectorClaims(),
  { name: 'interval tables hold what they were given', check: () => checkIntervalTables({ seed: SEED, numRuns: 60 }) },
  { name: 'decide says what the oracle says', check: () => checkDecide({ seed: SEED, numRuns: 60 }) },
];

for (const { name, check } of claims) {
  try {
    check();
  } catch (broken) {
    process.stdout.write(`${name}: ${broken instanceof Error ? broken.message : String(broken)}\n`);
    process.exit(1);
  }
}
