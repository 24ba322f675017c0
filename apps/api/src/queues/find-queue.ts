import { QueueError, type Inspector, type QueueName, type QueueOverview } from '@app/queue';
import { viewQueue, type QueueView } from './queue.view.js';

/** @throws QueueError `queue-not-found` */
export async function findQueue(inspector: Inspector, queue: QueueName): Promise<QueueOverview> {
  const [overview] = await inspector.overview([queue]);
  if (!overview) throw new QueueError('queue-not-found');
  return overview;
}

/** The queue as it is now, with what was set. @throws QueueError `queue-not-found` */
export async function showQueue(inspector: Inspector, queue: QueueName): Promise<QueueView> {
  const [overview, settings] = await Promise.all([findQueue(inspector, queue), inspector.settings(queue)]);
  return viewQueue(overview, settings);
}
