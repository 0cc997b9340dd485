import { readFileSync } from 'node:fs';
import t from 'tap';

const EVIDENCE = ['recorded', 'vendor document', 'tool code', 'issue report', 'presumed'];
const ledger: unknown = JSON.parse(readFileSync(new URL('../../fidelity/tmm.json', import.meta.url), 'utf8'));

t.test('every line of the ledger names its evidence and a claim that is tested', async (t) => {
  t.ok(Array.isArray(ledger) && ledger.length > 60);
  for (const line of Array.isArray(ledger) ? ledger : []) {
    const { behaviour, evidence, source, test } = line;
    for (const text of [behaviour, source, test]) t.ok(typeof text === 'string' && text !== '', behaviour);
    t.ok(EVIDENCE.includes(evidence), `${evidence}`);
    const [file = '', claim = ''] = String(test).split(' › ');
    const tests = readFileSync(new URL(file, import.meta.url), 'utf8').replace(/t\.test\(\s+/g, 't.test(');
    t.ok(tests.includes(`t.test('${claim}'`), test);
  }
});
