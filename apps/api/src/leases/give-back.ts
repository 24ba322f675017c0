import type { Consumer, LeasedTask } from '@app/queue';

/** Puts tasks that nobody was told of back at the heads of their lanes; no attempt is counted. */
export async function giveBack(consumer: Consumer, tasks: readonly LeasedTask[]): Promise<void> {
  if (tasks.length === 0) return;
  await consumer.settle(tasks.map(({ id, leaseToken }) => ({ id, leaseToken, action: 'release' })));
}

/** The same where nobody is there to be told of trouble: then the leases run out by themselves. */
export async function tryToGiveBack(consumer: Consumer, tasks: readonly LeasedTask[]): Promise<void> {
  await giveBack(consumer, tasks).catch(() => undefined);
}
