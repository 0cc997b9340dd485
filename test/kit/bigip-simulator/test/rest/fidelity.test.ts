import { readFileSync } from 'node:fs';
import t from 'tap';

const evidences = ['recorded', 'vendor document', 'tool code', 'issue report', 'presumed'];
const ledger: unknown = JSON.parse(readFileSync(new URL('../../fidelity/rest.json', import.meta.url), 'utf8'));

t.test('every line of the ledger names its evidence and a claim that is tested', async (t) => {
  t.ok(Array.isArray(ledger) && ledger.length > 50);
  for (const line of Array.isArray(ledger) ? ledger : []) {
    const { behaviour, evidence, source, test } = line;
    t.ok(
      [behaviour, source].every((text) => typeof text === 'string' && text !== ''),
      behaviour,
    );
    t.ok(evidences.includes(evidence), String(evidence));
    const [file, claim = ''] = String(test).split(' › ');
    const text = readFileSync(new URL(`./${file}`, import.meta.url), 'utf8');
    t.ok(claim !== '' && text.includes(claim.replace(/^timeout-500: .*/, 'timeout-500')), test);
  }
});
