import { type Worker, workersOf } from '../../driver/server/workers.ts';

/** An NGINX is ready with its first worker; a busy machine takes a moment to the second. What is there after 10 s. */
export async function bothWorkers(master: number): Promise<Worker[]> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const workers = await workersOf(master);
    if (workers.length === 2) return workers;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return workersOf(master);
}
