import { sizeClass } from './size-class.js';

test.each([
  [0, 0],
  [1, 1],
  [3, 1],
  [4, 2],
  [15, 2],
  [16, 3],
  [63, 3],
  [64, 4],
  [1_000_000, 10],
])('%d open tasks are of class %d', (openTasks, expected) => {
  expect(sizeClass(openTasks)).toBe(expected);
});
