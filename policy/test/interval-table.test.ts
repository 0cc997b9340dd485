/** The packed table that points search: its bytes, its edges, and random tables against a naive search. */
import t from 'tap';
import { intervalTableClaims } from './claims/interval-table-claims.ts';
import { checkIntervalTables } from './claims/interval-table-property.ts';
import { search } from './runs.ts';

for (const { name, check } of intervalTableClaims) t.test(name, async () => check());

t.test('a table finds what a naive search finds, and unpacks to what was packed', async (t) => {
  checkIntervalTables(search(t, 400));
});
