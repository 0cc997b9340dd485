/**
 * What protected objects allowed during the last week: the compiled forms that each had, with the revision that replaced
 * them. An object that does not change costs nothing. Of many forms those are kept that lie furthest apart in time, and the
 * newest; all of them together stay below a bound. Lost with the process: after a restart it is known from there on. Pure,
 * but for what it remembers; time comes in.
 */
import { type CompiledObject, type CompiledPolicy, decide, type Flow, viewOf } from '@edgeward/policy';

export interface EarlierObjects {
  /** This policy is in force at its point from now on. */
  remember(policy: CompiledPolicy, nowMs: number): void;
  /** The newest form before that revision whose rules allowed the flow; null: none that is known. */
  allowed(point: string, flow: Flow, beforeRevision: number, nowMs: number): EarlierAllowance | null;
}

interface EarlierAllowance {
  /** The rule that allowed it. */
  rule: string;
  /** The revision that replaced the form that did: from there on it was denied. */
  deniedSince: number;
}

export interface EarlierBounds {
  /** Of one object, the one in force included. */
  forms: number;
  /** About how much memory those take that are not in force. */
  bytes: number;
}

interface Form {
  object: CompiledObject;
  fromMs: number;
  /** The first revision that had another form, and when; null while in force. */
  replaced: { revision: number; atMs: number } | null;
}

const WEEK_MS = 7 * 86_400_000;

export function earlierObjects(bounds: EarlierBounds = { forms: 8, bytes: 64 * 1024 * 1024 }): EarlierObjects {
  /** By point and name, oldest first. */
  const histories = new Map<string, Map<string, Form[]>>();
  let keptBytes = 0;

  function drop(forms: Form[], index: number): void {
    for (const { object } of forms.splice(index, 1)) keptBytes -= weightOf(object);
  }

  function replace(forms: Form[], revision: number, nowMs: number): void {
    const current = forms.at(-1);
    if (current === undefined || current.replaced !== null) return;
    current.replaced = { revision, atMs: nowMs };
    keptBytes += weightOf(current.object);
  }

  function thin(forms: Form[], nowMs: number): void {
    while (isPast(forms[0], nowMs)) drop(forms, 0);
    while (forms.length > bounds.forms) drop(forms, mostCrowded(forms));
  }

  /** The object that was replaced first of all forgets it: what is in force is not counted. */
  function makeRoom(): void {
    while (keptBytes > bounds.bytes) {
      const all = [...histories.values()].flatMap((objects) => [...objects.values()]);
      const oldest = all.filter(([first]) => first?.replaced !== null && first !== undefined).sort(byReplacement)[0];
      if (oldest === undefined) return;
      drop(oldest, 0);
    }
  }

  return {
    remember({ point, revision, objects }, nowMs) {
      const known = histories.get(point) ?? new Map<string, Form[]>();
      histories.set(point, known);
      const here = new Set(objects.map(({ name }) => name));
      for (const [name, forms] of known) if (!here.has(name)) replace(forms, revision, nowMs);
      for (const object of objects) {
        const forms = known.get(object.name) ?? [];
        known.set(object.name, forms);
        const current = forms.at(-1);
        if (current?.replaced === null && current.object.hash === object.hash) continue;
        replace(forms, revision, nowMs);
        forms.push({ object, fromMs: nowMs, replaced: null });
      }
      for (const [name, forms] of known) {
        thin(forms, nowMs);
        if (forms.length === 0) known.delete(name);
      }
      makeRoom();
    },
    allowed(point, flow, beforeRevision, nowMs) {
      const forms = histories.get(point)?.get(flow.to) ?? [];
      for (const form of forms.toReversed()) {
        const { object, replaced } = form;
        if (replaced === null || replaced.revision > beforeRevision || isPast(form, nowMs)) continue;
        const rule = allowingRule(point, object, flow);
        if (rule !== null) return { rule, deniedSince: replaced.revision };
      }
      return null;
    },
  };
}

/** Not what a mode let through: that was nobody's rule. */
function allowingRule(point: string, object: CompiledObject, flow: Flow): string | null {
  const policy = { format: 1 as const, point, revision: 0, hash: '', objects: [object] };
  const { verdict, rule } = decide(viewOf(policy), flow);
  return verdict === 'allow' ? rule : null;
}

function isPast(form: Form | undefined, nowMs: number): boolean {
  return form?.replaced !== undefined && form.replaced !== null && nowMs - form.replaced.atMs > WEEK_MS;
}

/** Neither the first nor the last two: the one whose neighbours are nearest to each other. */
function mostCrowded(forms: readonly Form[]): number {
  let crowded = 1;
  let least = Number.POSITIVE_INFINITY;
  for (let index = 1; index < forms.length - 2; index += 1) {
    const apart = (forms[index + 1]?.fromMs ?? 0) - (forms[index - 1]?.fromMs ?? 0);
    if (apart < least) [crowded, least] = [index, apart];
  }
  return crowded;
}

function byReplacement([a]: Form[], [b]: Form[]): number {
  return (a?.replaced?.atMs ?? 0) - (b?.replaced?.atMs ?? 0);
}

/** Addresses are nearly all of it. */
function weightOf({ sources, rules }: CompiledObject): number {
  let bytes = 512 + rules.length * 256;
  for (const text of Object.values(sources)) bytes += 64 + text.length;
  return bytes;
}
