import { jest } from '@jest/globals';
import { Rests } from './rests.js';

test('a queue that gives nothing again and again rests, longer each time up to a bound', () => {
  const rests = new Rests(() => {});
  const restsMs = Array.from({ length: 8 }, () => rests.vain('q'));
  expect(restsMs).toEqual([0, 0, 0, 10, 20, 40, 50, 50]);
  expect([rests.has('q'), rests.has('other')]).toEqual([true, false]);
  rests.stop();
});

test('what a queue gives ends the row', () => {
  const rests = new Rests(() => {});
  for (let vain = 0; vain < 3; vain++) rests.vain('q');
  rests.gave('q');
  expect(rests.vain('q')).toBe(0);
  expect(rests.has('q')).toBe(false);
});

test('the end of a rest is told, once', () => {
  jest.useFakeTimers();
  const told: string[] = [];
  const rests = new Rests((queue) => told.push(queue));
  for (let vain = 0; vain < 5; vain++) rests.vain('q');
  jest.advanceTimersByTime(100);
  jest.useRealTimers();
  expect([told, rests.has('q')]).toEqual([['q'], false]);
});

test('nothing rests any more after the stop', () => {
  const rests = new Rests(() => {});
  for (let vain = 0; vain < 4; vain++) rests.vain('q');
  rests.stop();
  expect([rests.has('q'), rests.vain('q')]).toEqual([false, 0]);
});
