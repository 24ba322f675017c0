import type { IQueueBackend } from 'bullmq';

/** Ours, in the metadata of the queue: every process of the service sees it, and BullMQ's own producers do not know it. */
const FIELD = 'fairlane.draining';

/** Whether a queue accepts nothing new. */
export function isDraining(backend: IQueueBackend): Promise<boolean> {
  return backend.hasQueueMetaField(FIELD);
}

/** The same, of metadata that has been read. */
export function saysDraining(meta: Readonly<Record<string, string>>): boolean {
  return FIELD in meta;
}

export async function setDraining(backend: IQueueBackend, draining: boolean): Promise<void> {
  if (draining) await backend.setQueueMeta({ [FIELD]: 1 });
  else await backend.removeQueueMetaFields([FIELD]);
}
