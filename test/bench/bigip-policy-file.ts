/**
 * A compiled policy on its way to another process, read piece by piece: parsed as one JSON text it would stand in memory
 * three times. First a line of JSON without sources, then a line for each entry of an object's table.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { CompiledPolicy } from '@edgeward/policy';

export async function writePolicyFile(file: string, policy: CompiledPolicy): Promise<void> {
  await pipeline(Readable.from(linesOf(policy)), createWriteStream(file));
}

export async function readPolicyFile(file: string): Promise<CompiledPolicy> {
  let policy: CompiledPolicy | null = null;
  for await (const line of createInterface({ input: createReadStream(file) })) {
    if (policy === null) {
      policy = JSON.parse(line) as CompiledPolicy;
      continue;
    }
    const [object = '', name = '', records = ''] = line.split(' ');
    const { sources } = policy.objects[Number(object)] ?? {};
    if (sources !== undefined) sources[name] = records;
  }
  if (policy === null) throw new Error(`${file} is empty`);
  return policy;
}

function* linesOf(policy: CompiledPolicy): Generator<string> {
  const objects = policy.objects.map((object) => ({ ...object, sources: {} }));
  yield `${JSON.stringify({ ...policy, objects })}\n`;
  for (const [index, { sources }] of policy.objects.entries())
    for (const name of Object.keys(sources)) yield `${index} ${name} ${sources[name]}\n`;
}
