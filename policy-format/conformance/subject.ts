/**
 * This implementation as a subject of the conformance run: one JSON request a line on standard input, one JSON answer a
 * line on standard output. A fault of ours ends the process, and is never an answer.
 */
import { createInterface } from 'node:readline';
import { answerer } from './subject-answers.ts';

const answer = answerer();
for await (const line of createInterface({ input: process.stdin })) {
  const request: unknown = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await answer(request))}\n`);
}
