import { nearest } from './spelling.js';

test('the nearest candidate is found', () => {
  expect(nearest('WORKER_LEESE', ['WORKER_QUEUES', 'WORKER_LEASE'])).toBe('WORKER_LEASE');
});

test('nothing is suggested for a word far from all candidates', () => {
  expect(nearest('FAIRLANE_XYZ', ['WORKER_QUEUES', 'LOG_LEVEL'])).toBeUndefined();
});
