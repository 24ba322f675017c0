/* What the examples of several messages have in common. */

/** A task, as answered. */
export const TASK = {
  id: 'emails~order-42',
  queue: 'emails',
  type: 'email.send',
  tenant: 'default',
  priority: 3,
  priorityName: 'normal',
  state: 'pending',
  attempt: 0,
  failures: 0,
  crashes: 0,
  errors: [],
  tags: [],
  metadata: {},
  createdAt: '2026-01-31T12:00:00.000Z',
  cancelRequested: false,
};

/** What says that one holds a lease. */
export const LEASE = { id: 'emails~order-42', leaseToken: 'Yb3kQ9x0T1uVw2Zp4RsA.order-42' };
