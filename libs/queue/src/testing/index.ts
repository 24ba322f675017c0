/** The front door for tests: what a spec needs to try a queue, whatever backs it. */
export { MemoryQueue, type MemoryQueueOptions } from '../memory/memory-queue.js';
export { newTask, retryPolicy, uniqueQueue } from './builders.js';
export { describeQueue, type QueueUnderTest, type Setup } from './conformance.js';
export { checkInvariants, listAll } from './invariants.js';
export { ManualClock } from './manual-clock.js';
