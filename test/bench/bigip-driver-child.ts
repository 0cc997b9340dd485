/**
 * The BIG-IP driver in a process of its own, so that its memory is its own: the product's point, and policies from files.
 * The access comes as JSON in the one argument, orders as messages; it ends with its parent.
 */
import { createBigipPoint } from '@edgeward/f5-irules';
import { createLogger } from '@edgeward/runtime';
import type { Access, DriverAnswer, DriverOrder } from './bigip-driver.ts';
import { readPolicyFile } from './bigip-policy-file.ts';

const access = JSON.parse(process.argv[2] ?? '') as Access;
const point = createBigipPoint({ ...access, logger: createLogger({ level: 'warn' }) });

async function answer({ policyFile }: DriverOrder): Promise<DriverAnswer> {
  try {
    const { writes, bytes } = await point.apply(await readPolicyFile(policyFile));
    return { state: 'applied', writes, bytes };
  } catch (thrown) {
    return { state: 'failed', words: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) };
  }
}

process.on('message', (order: DriverOrder) => {
  void answer(order).then((answered) => process.send?.(answered));
});
process.once('disconnect', () => {
  void point.close().then(() => process.exit(0));
});
process.send?.({ state: 'ready' } satisfies DriverAnswer);
