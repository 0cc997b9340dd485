/**
 * Opens a store, proposes, approves and publishes one version, and is killed by itself at the write with the number that
 * it was given: before a rename, after it, or before bytes of the record. Says what was acknowledged, line by line.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addSignature, generateSigningKey, sign, signingKeyOf } from '@edgeward/policy-format';
import { createLogger } from '@edgeward/runtime';
import { computeApprovalPayload, openStoreFolder, parseBundle } from '../../src/index.ts';
import { killAtWrite } from './killed-at-write.ts';
import { stillClock } from './world.ts';

const [, , dir = '', killAt = '0'] = process.argv;
await killAtWrite(Number(killAt));

const { keys, bundle } = JSON.parse(await readFile(join(dir, '..', 'input.json'), 'utf8'));
const ada = await signingKeyOf(keys.ada);
const cleo = await signingKeyOf(keys.cleo);
const clock = stillClock();
const store = await openStoreFolder({ dir, clock, logger: createLogger({ level: 'silent' }) });
const documents = parseBundle(Buffer.from(bundle));
const previous = await store.proposals.predecessor();
const root = store.roots.newest();
// Each run proposes something of its own.
const reason = `run ${(await generateSigningKey()).kid}`;
const { payload } = computeApprovalPayload({
  bundle: documents,
  previous,
  root,
  proposedBy: 'ada',
  reason,
  nowMs: clock.now(),
});
const as = (name: string) => ({ name, by: 'certificate' });
const approval = await sign(payload, [ada]);
const { id } = await store.proposals.propose(as('ada'), { approval, bundle: documents.bytes });
process.stdout.write(`proposed ${id}\n`);
const document = await addSignature({ payload: approval.payload, signatures: [] }, payload.typ, cleo);
await store.proposals.approve(as('cleo'), id, { document, reason: 'fine' });
process.stdout.write(`approved ${id}\n`);
await store.proposals.publish(as('eve'), id);
process.stdout.write(`published ${id}\n`);
await store.close();
process.stdout.write('closed\n');
