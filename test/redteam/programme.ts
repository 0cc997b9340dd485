/**
 * Programmes: what people do, what time does, and what an attacker does in between, in any order. A step that can't be done
 * is passed over, so that every list of steps is a programme.
 */
import {
  type Approval,
  digestOfRoot,
  type Person,
  type SignedDocument,
  type SigningKey,
  type TrustRoot,
} from '@edgeward/policy-format';
import fc from 'fast-check';
import {
  createSignedWorld,
  type PersonName,
  type SignedWorld,
  seededKey,
  type Version,
  type WorldOptions,
} from '../kit/signed-world.ts';
import { type Attacker, createAttacker, type HeadPlan, type MemberPlan } from './attacker.ts';
import { ADDRESSES, arbitraryEdition, type Edition, editionRules, HOUR_MS, START_MS } from './estate.ts';
import { createPromises, type Promises } from './promises.ts';
import { openVictim, type Victim } from './victim.ts';

export const POINT = 'edge-1';

export type Step =
  | { do: 'publish'; edition: Edition; returnHours: number; glass: boolean; shown: boolean }
  | { do: 'move'; addresses: readonly string[]; shown: boolean }
  | { do: 'return'; shown: boolean }
  | { do: 'root'; change: 'store-key' | 'epoch' | 'approver'; shown: boolean }
  | { do: 'wait'; minutes: number }
  | { do: 'restart' }
  | { do: 'forge'; plan: HeadPlan; by: 'head' | 'delta' }
  | { do: 'replay'; at: number }
  | { do: 'approve'; edition: Edition; plan: ApprovalPlan; shown: boolean }
  | { do: 'lie-blob'; at: number; how: 'gone' | 'cut' | 'other' | 'honest' }
  | { do: 'lie-root'; how: 'gone' | 'own' | 'old' | 'honest' };

/** An approval by whatever keys were stolen; with none, by those of the servers. */
export interface ApprovalPlan {
  version: -1 | 0 | 1 | 2 | 1000;
  /** Which version it calls the one before; by place among all there are. */
  previous: number;
  glassHours: number | null;
  returnHours: number;
  approvals: 0 | 1 | 2;
  proposedBy: PersonName | 'thief';
  keys: 'stolen' | 'servers';
}

export interface Theft {
  /** Whose keys are stolen beside those of the servers. */
  people: readonly PersonName[];
  world?: WorldOptions['change'];
}

export interface Scene {
  world: SignedWorld;
  attacker: Attacker;
  victim: Victim;
  promises: Promises;
  versions: Version[];
  theft: Theft;
  stranger: SigningKey;
  /** Forged heads and deltas that were taken over. */
  believed: number;
  refusals: Map<string, number>;
}

const shown = fc.boolean();
const place = fc.nat({ max: 1000 });
const rarely = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: value });
const mostly = <T>(usual: T, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });

const arbitraryMembers: fc.Arbitrary<MemberPlan> = fc.record({
  addresses: fc.subarray([...ADDRESSES], { minLength: 1 }),
  everywhere: mostly(false, true),
  fenced: mostly(true, false),
  tooMany: mostly(false, true),
});

const arbitraryPlan: fc.Arbitrary<HeadPlan> = fc.record({
  like: place,
  slice: fc.option(place, { freq: 8 }),
  mixedRules: rarely(place),
  mixedApproval: rarely(place),
  base: fc.oneof(
    { weight: 10, arbitrary: fc.constant('right' as const) },
    { weight: 1, arbitrary: fc.constantFrom('none' as const, 'like' as const) },
    { weight: 1, arbitrary: place },
  ),
  members: fc.option(arbitraryMembers, { freq: 4 }),
  revision: mostly<HeadPlan['revision']>('next', 'same', 'before', 'far', 'further', 'last', 'first'),
  epoch: mostly<HeadPlan['epoch']>(0, 1, -1),
  root: mostly<HeadPlan['root']>(0, 1, -1),
  aud: fc.constant('own'),
  requires: mostly<HeadPlan['requires']>('none', 'like', 'unknown'),
  issuedAtMs: rarely(fc.constantFrom(START_MS - 1e10, START_MS + 1e12)),
  livesMs: mostly(1e7, 1, 31 * 24 * HOUR_MS, 1e12),
  stateRoot: mostly<HeadPlan['stateRoot']>('right', 'like', 'other'),
  key: mostly<HeadPlan['key']>('store', 'old-store', 'log', 'nobody'),
});

const arbitraryApproval: fc.Arbitrary<ApprovalPlan> = fc.record({
  version: mostly<ApprovalPlan['version']>(1, 2, 0, -1, 1000),
  previous: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: place }),
  glassHours: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 5 }) },
    { weight: 1, arbitrary: fc.constant(null) },
  ),
  returnHours: fc.constantFrom(0, 1, 100),
  approvals: fc.constantFrom<ApprovalPlan['approvals']>(1, 1, 0, 2),
  proposedBy: mostly<ApprovalPlan['proposedBy']>('thief', 'alice', 'bob', 'carol'),
  keys: mostly<ApprovalPlan['keys']>('stolen', 'servers'),
});

/** `approving`: how often approvals are forged; of use only to whoever has a person's key. */
export function arbitraryProgramme(approving: number, maxLength: number): fc.Arbitrary<Step[]> {
  const step = (weight: number, arbitrary: fc.Arbitrary<Step>) => ({ weight, arbitrary });
  return fc.array(
    fc.oneof(
      step(
        3,
        fc.record({
          do: fc.constant('publish' as const),
          edition: arbitraryEdition,
          returnHours: fc.constantFrom(0, 0, 1, 3),
          glass: mostly(false, true),
          shown,
        }),
      ),
      step(1, fc.record({ do: fc.constant('move' as const), addresses: fc.subarray([...ADDRESSES]), shown })),
      step(1, fc.record({ do: fc.constant('return' as const), shown })),
      step(
        1,
        fc.record({
          do: fc.constant('root' as const),
          change: fc.constantFrom('store-key' as const, 'epoch' as const, 'approver' as const),
          shown,
        }),
      ),
      step(2, fc.record({ do: fc.constant('wait' as const), minutes: fc.constantFrom(1, 30, 59, 61, 180, 400) })),
      step(1, fc.constant({ do: 'restart' as const })),
      step(
        10,
        fc.record({
          do: fc.constant('forge' as const),
          plan: arbitraryPlan,
          by: mostly<'head' | 'delta'>('head', 'delta'),
        }),
      ),
      step(2, fc.record({ do: fc.constant('replay' as const), at: place })),
      step(
        1,
        fc.record({
          do: fc.constant('lie-blob' as const),
          at: place,
          how: fc.constantFrom('gone' as const, 'cut' as const, 'other' as const, 'honest' as const),
        }),
      ),
      step(
        1,
        fc.record({
          do: fc.constant('lie-root' as const),
          how: fc.constantFrom('gone' as const, 'own' as const, 'old' as const, 'honest' as const),
        }),
      ),
      ...(approving === 0
        ? []
        : [
            step(
              approving,
              fc.record({
                do: fc.constant('approve' as const),
                edition: arbitraryEdition,
                plan: arbitraryApproval,
                shown,
              }),
            ),
          ]),
    ),
    { minLength: 5, maxLength, size: 'max' },
  );
}

export async function openScene(first: Edition, theft: Theft = { people: [] }): Promise<Scene> {
  const world = await createSignedWorld({
    nowMs: START_MS,
    ...(theft.world === undefined ? {} : { change: theft.world }),
  });
  const stranger = await seededKey('redteam');
  const attacker = createAttacker(world, POINT, stranger);
  const promises = createPromises(POINT);
  const victim = await openVictim(POINT, world.pinned, attacker, world.nowMs);
  const refusals = new Map<string, number>();
  const scene: Scene = { world, attacker, victim, promises, versions: [], theft, stranger, believed: 0, refusals };
  promises.trust(world.root);
  await perform(scene, { do: 'publish', edition: first, returnHours: 0, glass: false, shown: true });
  return scene;
}

/** One step, and whether every promise was kept. */
export async function perform(scene: Scene, step: Step): Promise<void> {
  await stepOf(scene, step);
  scene.promises.check(scene.victim);
}

async function stepOf(scene: Scene, step: Step): Promise<void> {
  const { world, attacker, victim } = scene;
  switch (step.do) {
    case 'publish':
      await publish(scene, step);
      return showIf(scene, step.shown);
    case 'move': {
      const groups = world.at(POINT).version.slices.get(POINT)?.rules.groups ?? [];
      await world.move(Object.fromEntries(groups.map(({ id }) => [id, honestly(step.addresses)])));
      return showIf(scene, step.shown);
    }
    case 'return':
      if (scene.versions.length > 1) await world.returnPoints([POINT]);
      return showIf(scene, step.shown);
    case 'root': {
      await changeRoot(scene, step.change);
      // As a store says it: the newest root there is, so that whoever was taken out of it is so everywhere.
      const { version, epoch } = world.root;
      const revision = (victim.held().state?.head.revision ?? 0) + 1;
      const head = await world.forge(POINT, (it) => ({ ...it, root: version, epoch, revision }));
      return step.shown ? tell(scene, victim.head(head)) : undefined;
    }
    case 'wait':
      setTime(scene, victim.nowMs + step.minutes * 60_000);
      return;
    case 'restart':
      return victim.restart();
    case 'forge':
      return forge(scene, step);
    case 'replay':
      return tell(scene, victim.head(attacker.heads[step.at % attacker.heads.length] ?? world.head(POINT)));
    case 'approve':
      return approve(scene, step);
    case 'lie-blob':
      return lieAboutBlob(scene, step);
    case 'lie-root':
      return lieAboutRoot(scene, step.how);
  }
}

/** None in a group: people of this test have nobody to move there. What a store makes of it is the attacker's. */
function honestly(addresses: readonly string[]): readonly string[] {
  return addresses.filter((it) => it.startsWith('10.30.0.')).slice(0, 3);
}

function setTime({ world, victim }: Scene, nowMs: number): void {
  victim.nowMs = Math.max(victim.nowMs, nowMs);
  world.nowMs = victim.nowMs;
}

async function publish(scene: Scene, step: Extract<Step, { do: 'publish' }>): Promise<void> {
  const { world } = scene;
  const rules = editionRules(step.edition);
  const groups = rules.flatMap((it) => it.groups).filter((it) => it.kind === 'workloads');
  const members = Object.fromEntries(
    groups.map(({ id, within }) => [id, within?.includes('10.30.0.0/24') ? ['10.30.0.9'] : []]),
  );
  const isGlass = step.glass && scene.versions.at(-1)?.approval.breakGlass === null;
  const version = await world.publish(rules, {
    members,
    // In a later root bob may have left.
    ...(isGlass
      ? { breakGlassMs: 2 * HOUR_MS, proposedBy: 'carol', signers: ['carol'] }
      : { signers: ['alice', 'carol'] }),
    ...(step.returnHours === 0 || scene.versions.length === 0 ? {} : { returnMs: step.returnHours * HOUR_MS }),
  });
  setTime(scene, world.nowMs);
  scene.versions.push(version);
  scene.promises.decide({
    approval: version.approval,
    digest: version.digest,
    rules: new Map(rules.map((it) => [it.point, it])),
    stolen: false,
  });
  scene.attacker.watch();
}

async function changeRoot(scene: Scene, change: 'store-key' | 'epoch' | 'approver'): Promise<void> {
  const { world } = scene;
  const key = await seededKey(`store ${world.root.version}`);
  await world.changeRoot(
    (root): TrustRoot => {
      if (change === 'epoch') return { ...root, epoch: root.epoch + 1 };
      if (change === 'store-key') return { ...root, storeKeys: [key.publicKey] };
      return { ...root, people: root.people.map((it) => (it.name === 'bob' ? { ...it, keys: [] } : it)) };
    },
    ['carol', 'erin'],
  );
  if (change === 'store-key') world.useStoreKey(key);
  scene.promises.trust(world.root);
  await world.refresh();
  setTime(scene, world.nowMs);
  scene.attacker.watch();
}

async function showIf(scene: Scene, isShown: boolean): Promise<void> {
  scene.attacker.watch();
  setTime(scene, scene.world.nowMs);
  if (isShown) await tell(scene, scene.victim.head(scene.world.head(POINT)));
}

async function tell({ refusals }: Scene, refusal: Promise<string | null>): Promise<void> {
  const code = (await refusal) ?? 'taken over';
  refusals.set(code, (refusals.get(code) ?? 0) + 1);
}

async function forge(scene: Scene, { plan, by }: Extract<Step, { do: 'forge' }>): Promise<void> {
  const { attacker, victim } = scene;
  const { state } = victim.held();
  const work =
    by === 'delta' && state !== null
      ? victim.delta(await attacker.forgedDelta(plan, state))
      : victim.head((await attacker.forgedHead(plan, state)).signed);
  const refusal = await work;
  if (refusal === null && victim.held().state !== state) scene.believed += 1;
  await tell(scene, Promise.resolve(refusal));
}

async function approve(
  scene: Scene,
  { edition, plan, shown: isShown }: Extract<Step, { do: 'approve' }>,
): Promise<void> {
  const { world, theft, versions, attacker, promises, victim } = scene;
  const newest = versions.at(-1);
  if (newest === undefined) return;
  const previous = versions[(versions.length - 1 + plan.previous) % versions.length] ?? newest;
  const version = Math.max(2, newest.approval.version + plan.version);
  const at = (hours: number): string => new Date(victim.nowMs + hours * HOUR_MS).toISOString();
  const approval: Approval = {
    ...newest.approval,
    version,
    previous: previous.digest,
    proposedBy: plan.proposedBy === 'thief' ? (theft.people[0] ?? 'alice') : plan.proposedBy,
    proposedAt: at(0),
    expiresAt: at(24),
    approvals: plan.approvals,
    risks: [],
    breakGlass: plan.glassHours === null ? null : { endsAt: at(plan.glassHours) },
    returnUntil: plan.returnHours === 0 ? null : at(plan.returnHours),
    root: world.root.version,
  };
  const stolen = theft.people.map((name) => world.keys.people[name]);
  const keys =
    plan.keys === 'stolen' && stolen.length > 0 ? stolen : [world.keys.store, world.keys.log, scene.stranger];
  const rules = editionRules(edition);
  const digest = await attacker.forgeApproval(rules, approval, keys);
  if (mayOpenGlass(scene))
    promises.decide({ approval, digest, rules: new Map(rules.map((it) => [it.point, it])), stolen: true });
  if (isShown) await tell(scene, victim.head(await newestForged(scene)));
}

/** The newest slice that was seen, with every address in it that its fences let in, as a good head shows it. */
export async function newestForged({ attacker, victim }: Scene): Promise<SignedDocument> {
  const slice = attacker.slices.filter((it) => it.point === POINT).length - 1;
  const members = { addresses: ADDRESSES, everywhere: false, fenced: true, tooMany: false };
  const { signed } = await attacker.forgedHead({ ...GOOD, slice, members }, victim.held().state);
  return signed;
}

const GOOD: HeadPlan = {
  like: 0,
  slice: null,
  mixedRules: null,
  mixedApproval: null,
  base: 'right',
  members: null,
  revision: 'next',
  epoch: 0,
  root: 0,
  aud: 'own',
  requires: 'none',
  issuedAtMs: null,
  livesMs: HOUR_MS,
  stateRoot: 'right',
  key: 'store',
};

/** Whoever holds an approver's key may open a glass, where there is one: that is checked to be no more than that. */
function mayOpenGlass({ world, theft }: Scene): boolean {
  const approvers = world.root.people.filter(({ roles }) => roles.includes('approver'));
  return (
    world.root.thresholds.breakGlassHours > 0 && approvers.some(({ name }) => theft.people.includes(name as PersonName))
  );
}

function lieAboutBlob({ attacker, world }: Scene, { at, how }: Extract<Step, { do: 'lie-blob' }>): void {
  const digests = [...world.blobs.keys()];
  const digest = digests[at % digests.length] ?? '';
  const bytes = world.blob(digest) ?? new Uint8Array();
  if (how === 'honest') attacker.lies.blobs.clear();
  else if (how === 'gone') attacker.lies.blobs.set(digest, null);
  else if (how === 'cut') attacker.lies.blobs.set(digest, bytes.slice(0, -1));
  else attacker.lies.blobs.set(digest, world.blob(digests[(at + 1) % digests.length] ?? '') ?? bytes);
}

/** A root in which the attacker is everybody, signed by all that was stolen. */
async function lieAboutRoot(scene: Scene, how: Extract<Step, { do: 'lie-root' }>['how']): Promise<void> {
  const { attacker, world, victim, stranger, theft } = scene;
  const { root } = victim.held();
  const next = root.version + 1;
  attacker.lies.roots.clear();
  if (how === 'honest') return;
  if (how === 'gone') return void attacker.lies.roots.set(next, null);
  if (how === 'old') return void attacker.lies.roots.set(next, world.rootDocument(Math.max(1, root.version - 1)));
  const keys = [world.keys.store, world.keys.log, stranger, ...theft.people.map((name) => world.keys.people[name])];
  const own: TrustRoot = {
    ...root,
    version: next,
    previous: digestOfRoot(root),
    epoch: root.epoch + 1,
    thresholds: { normal: 1, elevated: 1, root: 1, breakGlassHours: 4 },
    people: root.people.map((it): Person => {
      if (it.name === 'alice') return { ...it, roles: ['author', 'approver'] };
      return it.name === 'carol' ? { ...it, keys: [stranger.publicKey] } : it;
    }),
  };
  attacker.lies.roots.set(next, await attacker.forgeRoot(own, keys));
}
