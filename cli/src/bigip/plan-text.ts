/** A plan for people: what happens to traffic first, then what is written. Bounded, unless all of it is asked for. */
import type { FlowChange, ObjectChange, Preview } from '@edgeward/f5-irules';
import { counted, type Paint, printable } from '../frame/terminal-text.ts';
import { few, passingText, requestsText } from '../policy/flow-change-text.ts';
import { bounded, findingLines } from './finding-lines.ts';

/** Lines of each list; sources in one line. */
const SHORT = { lines: 20, sources: 3, objects: 20, requests: 4 };
const LONG = { lines: Infinity, sources: Infinity, objects: Infinity, requests: Infinity };

type Limits = typeof SHORT;

export function planText(preview: Preview, all: boolean, paint: Paint): string {
  const limits = all ? LONG : SHORT;
  const changed = preview.objects.filter(({ change }) => change !== 'same');
  const sections = [
    headLines(preview, paint),
    bounded(
      changed.map((object) => objectLines(object, limits, paint).join('\n')),
      limits.objects,
      paint,
    ),
    section(
      'Rules',
      preview.rules.map(({ rule, does }) => `${does}  ${rule}`),
      limits,
      paint,
    ),
    section('Groups', preview.groups.map(groupLine), limits, paint),
    section(callsTitle(preview), preview.calls.map(callLine), limits, paint),
    section('Deleted by a later apply', preview.collectable, limits, paint),
  ];
  const text = sections.filter((lines) => lines.length > 0).map((lines) => `${lines.join('\n')}\n`);
  const hazards = hazardText(preview, limits, paint);
  return [...text, ...(hazards === '' ? [] : [hazards]), `${summary(preview, changed.length, paint)}\n`].join('\n');
}

function hazardText({ hazards }: Preview, limits: Limits, paint: Paint): string {
  const shown = hazards.map((hazard) => findingLines([hazard], paint.warn('hazard')).trimEnd());
  const lines = bounded(shown, limits.lines, paint);
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function headLines({ point, unit, url, revision }: Preview, paint: Paint): string[] {
  const from = revision.from === null ? 'no policy' : `revision ${revision.from}`;
  const to = revision.from === revision.to ? '' : ` → revision ${revision.to}`;
  return [`${paint.strong(printable(point))}  ${printable(`${unit} at ${url}`)}: ${from}${to}`];
}

function objectLines(it: ObjectChange, limits: Limits, paint: Paint): string[] {
  const name = it.object === null ? '' : `  ${printable(it.object)}`;
  return [
    `${paint.strong(printable(it.bind))}${name}  ${it.change}`,
    ...settingLines(it),
    ...flowLines(it, limits, paint),
  ];
}

function settingLines({ before, after }: ObjectChange): string[] {
  if (before === null || after === null) {
    const { mode, protocol } = after ?? before ?? { mode: '', protocol: '' };
    return [
      `  ${after === null ? 'was' : 'mode'} ${mode}, protocol ${protocol}${after === null ? '' : passingText(mode)}`,
    ];
  }
  const columns = ['mode', 'protocol', 'routeDomain', 'blind'] as const;
  const moved = columns.filter((column) => before[column] !== after[column]);
  const mode = moved.includes('mode') ? `${before.mode} → ${after.mode}` : `${after.mode}, as before`;
  const others = moved.filter((column) => column !== 'mode');
  return [
    `  mode ${mode}${passingText(after.mode)}`,
    ...others.map((column) => `  ${column} ${before[column]} → ${after[column]}`),
  ];
}

function flowLines({ flows, unread }: ObjectChange, limits: Limits, paint: Paint): string[] {
  if (unread !== null) {
    const { before, after } = unread;
    const to =
      after === null ? 'nobody' : `${after.name}, ${counted(after.records, 'record')}, ${counted(after.bytes, 'byte')}`;
    return [`  sources ${printable(before)} → ${to}: the old group is a file that nobody can read back`];
  }
  if (flows === null) return [];
  const lines = [
    ...flows.gained.flatMap((it) => changeLines(paint.good('gained'), it, 'no longer denied', limits)),
    ...flows.lost.flatMap((it) => changeLines(paint.bad('lost  '), it, 'now denied', limits)),
    ...trustLines('believed from now on', flows.trusted.gained, limits),
    ...trustLines('no longer believed', flows.trusted.lost, limits),
    ...(flows.reworded === 0
      ? []
      : [`decided by other rules, with the same outcome: ${counted(flows.reworded, 'range')}`]),
  ];
  if (lines.length === 0) return ['  no flow is gained or lost'];
  return bounded(lines, limits.lines, paint).map((line) => `  ${line}`);
}

function changeLines(word: string, { sources, ports, requests }: FlowChange, denial: string, limits: Limits): string[] {
  const what = `${ports.join(' ')}  ${requestsText(requests, denial, limits.requests)}`;
  if (limits.sources === Infinity) return sources.map((source) => `${word}  ${source}  ${what}`);
  return [`${word}  ${few(sources, limits.sources)}  ${what}`];
}

function trustLines(word: string, sources: readonly string[], limits: Limits): string[] {
  return sources.length === 0 ? [] : [`proxies ${word}: ${few(sources, limits.sources)}`];
}

function section(title: string, lines: readonly string[], limits: Limits, paint: Paint): string[] {
  if (lines.length === 0) return [];
  return [paint.strong(title), ...bounded(lines.map(printable), limits.lines, paint).map((line) => `  ${line}`)];
}

function groupLine({ name, does, type, storage, records, bytes }: Preview['groups'][number]): string {
  return `${does}  ${name}  ${type}, ${storage}, ${counted(records, 'record')}, ${counted(bytes, 'byte')}`;
}

function callsTitle({ calls }: Preview): string {
  const bytes = calls.reduce((sum, call) => sum + call.bytes, 0);
  return `Calls, in this order: ${calls.length}, ${counted(bytes, 'byte')}`;
}

function callLine({ method, path, bytes }: Preview['calls'][number]): string {
  return `${method.padEnd(6)} /mgmt/${path}  ${bytes.toLocaleString('en')}`;
}

function summary({ objects, calls, obstacle }: Preview, changed: number, paint: Paint): string {
  const stands =
    obstacle === null
      ? ''
      : `${paint.bad('In the way')}: ${obstacle.code}: ${printable(obstacle.message)}\n  ${printable(obstacle.mend)}\n`;
  if (calls.length === 0 && obstacle === null) return paint.good('Nothing would change.');
  return `${stands}${paint.warn(`${changed} of ${counted(objects.length, 'virtual server')} would change.`)}`;
}
