/** Break-glass on top of a version that is not everywhere: the store takes it only from who names that version. */
import { addSignature, type SignedDocument } from '@edgeward/policy-format';
import t from 'tap';
import { type Fleet, openFleet, returnable, THREE, tiers } from './rollout-points.ts';
import { until } from './serving-kit.ts';

/** Proposed by an author with a client of their own, approved, and not published; the answer is its id. */
async function glass({ served }: Fleet, rule: string): Promise<string> {
  const breakGlass = { endsAtMs: Date.now() + 3_600_000 };
  const draft = await served.draft(tiers(THREE, { rule }), { breakGlass });
  const proposed = await served.as('ada', '/v1/proposals', { body: draft });
  const { id } = proposed.json() as { id: string };
  const unsigned = { ...(draft.approval as SignedDocument), signatures: [] };
  const document = await addSignature(unsigned, 'edgeward-approval/1', served.keys.cleo);
  await served.as('cleo', `/v1/proposals/${id}/signatures`, { body: { document, reason: 'INC-7' } });
  return id;
}

t.test('what a roll-out has not finished is nowhere put at once by break-glass that does not name it', async (t) => {
  const fleet = await openFleet(t, { settleSeconds: 60 });
  const { served, points } = fleet;
  const [canary, other] = points;
  const publish = async (id: string, body: object) => {
    const { status, json } = await served.as('eve', `/v1/proposals/${id}/publish`, { body });
    return { status, body: json() };
  };
  const decide = (action: string) => served.as('cleo', `/v1/rollout/${action}`, { body: { reason: 'CHG-7' } });
  await served.decide(tiers(THREE, { rule: 'crm-2' }), returnable());
  await until('the canary has it', () => canary.versions.at(-1) === 2);
  const id = await glass(fleet, 'crm-3');
  const refused = { status: 409, body: { error: { code: 'EDW_ERR_ROLLOUT_STATE', mend: /--on-top-of 2/ } } };
  for (const [state, action] of [
    ['rolling', null],
    ['halted', 'halt'],
    ['returned', 'return'],
  ] as const) {
    if (action !== null) t.equal((await decide(action)).status, 200);
    t.equal(fleet.rollout().state, state);
    t.match(await publish(id, {}), refused, state);
    t.match(await publish(id, { dryRun: true }), refused, `${state}, a dry run`);
    t.match(await publish(id, { onTopOf: 1 }), refused, `${state}, another version`);
  }
  t.match(await publish(id, { onTopOf: 0 }), { status: 400, body: { error: { code: 'EDW_ERR_STORE_REQUEST' } } });
  const entries = await served.store.folder.record.read({ after: 0, limit: 1_000 });
  const told = entries.filter(({ code }) => code === 'EDW_ERR_ROLLOUT_STATE');
  t.strictSame(
    told.map(({ actor, action, outcome }) => `${actor} ${action} ${outcome}`),
    Array.from({ length: 3 }, () => ['refused', 'dry-run', 'refused'])
      .flat()
      .map((outcome) => `eve proposal.publish ${outcome}`),
  );
  t.match(await publish(id, { onTopOf: 2, dryRun: true }), { status: 200, body: { version: 3 } });
  t.match(await publish(id, { onTopOf: 2 }), { status: 200, body: { version: 3 } });
  await until('all have it', () => points.every(({ versions }) => versions.at(-1) === 3));
  t.notOk(other.versions.includes(2));
});

t.test('on top of a version that is everywhere break-glass names nothing, or the right one', async (t) => {
  const fleet = await openFleet(t);
  const { served } = fleet;
  const id = await glass(fleet, 'crm-2');
  const publish = (body: object) => served.as('eve', `/v1/proposals/${id}/publish`, { body });
  t.equal((await publish({ onTopOf: 2 })).status, 409);
  t.equal((await publish({ onTopOf: 1, dryRun: true })).status, 200);
  t.equal((await publish({})).status, 200);
});
