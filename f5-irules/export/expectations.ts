/**
 * `verify.expected`: what `verify.sh` compares a box with. A line is a kind, a name without spaces, and the rest. It is
 * data: the script reads it word by word and runs none of it.
 */
import { createHash } from 'node:crypto';
import { type DataGroup, type DataRecord, MAP_HEAD } from '../driver/layout/index.ts';
import type { Change } from './change.ts';

export function* expectationLines({ revision, layout, rules, attachments }: Change): Generator<string> {
  yield `revision ${revision}\n`;
  for (const rule of [rules.l4, rules.l7]) yield `rule ${rule.fullPath} ${ruleDigest(rule.text)}\n`;
  for (const group of layout.groups) {
    if (group.storage === 'external') yield `external ${group.name} SHA1:${group.bytes}:${group.sha1}\n`;
    else yield `internal ${group.name} ${recordsDigest(group)}\n`;
  }
  for (const { name, data } of layout.map) yield `entry ${name} ${data}\n`;
  yield `saved ${layout.map.find(({ name }) => name === MAP_HEAD)?.data ?? ''}\n`;
  for (const { bind, routeDomain, needed } of attachments) yield `virtual ${bind} ${routeDomain} ${needed.join(' ')}\n`;
}

/** Of `name data` lines in the order of their bytes. */
function recordsDigest(group: DataGroup): string {
  const lines = [...group.records()].map(({ name, data }: DataRecord) => `${name} ${data}\n`).sort(byteOrder);
  const digest = createHash('sha1');
  for (const line of lines) digest.update(line);
  return digest.digest('hex');
}

/** As `sort` has it without a locale; all of it is ASCII. */
function byteOrder(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function ruleDigest(text: string): string {
  const lines = text.split('\n').map((line) => line.replace(/^[ \t\v\f\r]+|[ \t\v\f\r]+$/g, ''));
  const kept = lines.filter((line) => line !== '').map((line) => `${line}\n`);
  return createHash('sha1').update(kept.join('')).digest('hex');
}
