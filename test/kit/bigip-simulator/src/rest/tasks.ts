/**
 * Long commands as tasks below /mgmt/tm/task/sys/config: made, started, asked for, their result read. While one runs the
 * box takes no other write: `There is an active asynchronous task executing.`
 */
import type { Clock } from '@edgeward/runtime';
import type { TmosVersion } from '../simulator.ts';
import { type Answer, answerOf, boxFailure, empty, type Json, json, refuseBox } from './answer.ts';
import { bodyOf, type Call } from './call.ts';
import { linkTo } from './links.ts';

export interface Tasks {
  /** `run` is the command itself; it may throw what a call may. */
  answer(call: Call, run: (body: Json) => void): Answer;
  /** Whether one runs now. */
  busy(): boolean;
  clear(): void;
}

export const busyAnswer: Answer = boxFailure(503, 'There is an active asynchronous task executing.', 32964609);

interface Task {
  id: number;
  body: Json;
  state: 'STARTED' | 'VALIDATING' | 'COMPLETED' | 'FAILED';
  result: string;
  cancel: () => void;
}

const path = 'tm/task/sys/config';
const maxTasks = 100;

export function createTasks(options: { clock: Clock; version: TmosVersion; taskMs: number }): Tasks {
  const { clock, version, taskMs } = options;
  const tasks = new Map<string, Task>();
  let lastId = 0;

  const view = (task: Task): Json => ({
    ...task.body,
    _taskId: task.id,
    _taskState: task.state,
    _taskTimeInStateMs: 0,
    kind: `tm:task:sys:config:${String(task.body.command)}state`,
    selfLink: linkTo(`${path}/${task.id}`, version),
  });

  function create(call: Call): Answer {
    const body = bodyOf(call);
    for (const [key, old] of tasks) {
      if (tasks.size < maxTasks) break;
      if (old.state !== 'VALIDATING') tasks.delete(key);
    }
    lastId = Math.max(lastId + 1, Math.floor(clock.now() / 1000));
    const task: Task = { id: lastId, body, state: 'STARTED', result: '', cancel: () => {} };
    tasks.set(String(task.id), task);
    return json(view(task));
  }

  function start(task: Task, run: (body: Json) => void): Answer {
    if (task.state !== 'STARTED') refuseBox(400, `Task ${task.id} is ${task.state} already.`, 1);
    task.state = 'VALIDATING';
    task.cancel = clock.after(taskMs, () => finish(task, run));
    return json({ code: 202, message: 'Task will execute asynchronously.', errorStack: [] }, 202);
  }

  return {
    busy: () => [...tasks.values()].some((task) => task.state === 'VALIDATING'),
    clear() {
      for (const task of tasks.values()) task.cancel();
      tasks.clear();
    },
    answer(call, run) {
      const [id, below] = call.segments.slice(4);
      if (id === undefined) return call.method === 'POST' ? create(call) : refuseBox(405, unsupported, 1);
      const task = tasks.get(id) ?? refuseBox(404, `Object not found - /task/sys/config/${id}`, 1);
      if (below === 'result' && call.method === 'GET') return resultOf(task);
      if (below !== undefined) return refuseBox(404, `Object not found - /task/sys/config/${id}/${below}`, 1);
      if (call.method === 'GET') return json(view(task));
      if (call.method === 'PUT' || call.method === 'PATCH') return start(task, run);
      if (call.method !== 'DELETE') return refuseBox(405, unsupported, 1);
      task.cancel();
      tasks.delete(id);
      return empty;
    },
  };
}

const unsupported = 'Operation is not supported on component /task/sys/config.';

function finish(task: Task, run: (body: Json) => void): void {
  try {
    run(task.body);
    task.state = 'COMPLETED';
  } catch (thrown) {
    const answer = answerOf(thrown);
    task.state = 'FAILED';
    task.result = answer?.form === 'json' ? String(answer.body.message) : String(thrown);
  }
}

function resultOf(task: Task): Answer {
  if (task.state === 'FAILED') return boxFailure(400, task.result);
  if (task.state !== 'COMPLETED') return refuseBox(400, `The result of task ${task.id} is not there yet.`, 1);
  return json({ ...task.body, _taskId: task.id, _taskState: task.state, kind: 'tm:task:sys:config:resultstate' });
}
