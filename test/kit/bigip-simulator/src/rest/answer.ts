/**
 * What a BIG-IP answers: the JSON of icrd and mcpd, the JSON of restjavad, an HTML page, or nothing at all. A handler
 * that can't go on throws a Refusal that carries its answer. Nothing here knows a socket.
 */
import { BoxError } from '../config/box-config.ts';

export type Json = Record<string, unknown>;

export type Answer =
  | { form: 'json'; status: number; body: Json; endsConnection?: boolean }
  /** restjavad adds who asked and a number of its own. */
  | { form: 'restjavad'; status: number; message: string; fields?: Json }
  | { form: 'html'; status: number; html: string }
  | { form: 'empty'; status: number };

export class Refusal extends Error {
  readonly answer: Answer;

  constructor(answer: Answer) {
    super(`${answer.status}`);
    this.name = 'Refusal';
    this.answer = answer;
  }
}

export function json(body: Json, status = 200): Answer {
  return { form: 'json', status, body };
}

export const empty: Answer = { form: 'empty', status: 200 };

/** icrd and mcpd: `apiError` 3 is mcpd's own, 1 the framework's. */
export function boxFailure(status: number, message: string, apiError = 3): Answer {
  return json({ code: status, message, errorStack: [], apiError }, status);
}

export function restFailure(status: number, message: string, fields?: Json): Answer {
  return fields === undefined ? { form: 'restjavad', status, message } : { form: 'restjavad', status, message, fields };
}

export function invalidJson(): Answer {
  const body = { code: 400, message: 'Found invalid JSON body in the request.', errorStack: [], apiError: 1 };
  return { form: 'json', status: 400, body, endsConnection: true };
}

/** The answer that a thrown refusal stands for, or null for what is a bug. */
export function answerOf(thrown: unknown): Answer | null {
  if (thrown instanceof Refusal) return thrown.answer;
  if (thrown instanceof BoxError) return boxFailure(thrown.status, thrown.message, thrown.apiError);
  return null;
}

/** Refuses with what mcpd or the framework would say. */
export function refuseBox(status: number, message: string, apiError = 3): never {
  throw new Refusal(boxFailure(status, message, apiError));
}

export function refuseRest(status: number, message: string, fields?: Json): never {
  throw new Refusal(restFailure(status, message, fields));
}
