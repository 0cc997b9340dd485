import type { Flow } from '@edgeward/policy';
import { FAILED, judge, modeOf } from './judgement.ts';
import type { AskedProof, ProofAnswer } from './proof.ts';
import { answerProof, hashInForce, takeQuestion } from './proof.ts';
import { refOf } from './request-details.ts';
import { refuse } from './request-refusal.ts';
import { targetOf } from './request-target.ts';
import type { Zone } from './zone-life.ts';

/** Answers the question that waits under this name, and refuses the request. null: none waits, and it is one like any other. */
export function proveRequest(r: NginxHTTPRequest, id: string): string | null {
  const asked = takeQuestion(ngx.shared.edgeward as Zone, id);
  return asked === null ? null : prove(r, asked);
}

/** Refused whatever the verdict, by the same way out; no count, no line in the log. */
function prove(r: NginxHTTPRequest, asked: AskedProof): string {
  const ref = refOf(r);
  const answer = provenVerdict(r, asked, ref);
  try {
    answerProof(ngx.shared.edgeward as Zone, asked.id, answer);
  } catch (problem) {
    // A full zone: refused all the same, and whoever asked finds no answer.
    r.error(`edgeward: the answer of a proof could not be written: ${(problem as Error).name}`);
  }
  return refuse(r, ref);
}

function provenVerdict(r: NginxHTTPRequest, asked: AskedProof, ref: string): ProofAnswer {
  const zone = ngx.shared.edgeward as Zone;
  const question = asked.question;
  const flow: Flow = { from: '', to: '', port: '', method: question.method, path: question.path };
  if (question.host !== null) flow.host = question.host;
  const answer: ProofAnswer = {
    ref,
    to: '',
    port: '',
    mode: null,
    hash: '',
    verdict: FAILED.verdict,
    reason: FAILED.reason,
    rule: FAILED.rule,
    revision: FAILED.revision,
  };
  try {
    // Which object this server is, and on which port, is what the server says and not what is asked.
    const target = targetOf(r);
    answer.to = flow.to = target.to;
    answer.port = flow.port = target.port;
    const judged = judge(zone, () => r.variables.edgeward_last_known as string, question.peer, flow, {});
    answer.mode = modeOf(judged.policy, flow.to);
    answer.hash = hashInForce(zone);
    answer.verdict = judged.verdict.verdict;
    answer.reason = judged.verdict.reason;
    answer.rule = judged.verdict.rule;
    answer.revision = judged.verdict.revision;
  } catch (problem) {
    r.error(`edgeward: the verdict of a proof failed: ${(problem as Error).stack || (problem as Error).message}`);
  }
  return answer;
}
