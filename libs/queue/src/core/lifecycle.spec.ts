import { canMove, TRANSITIONS } from './lifecycle.js';
import { isTerminal, OPEN_STATES, TASK_STATES, TERMINAL_STATES, type TaskState } from './task.js';

/** All states that can follow, in any number of moves. */
function reachableFrom(start: TaskState, moves = TRANSITIONS): Set<TaskState> {
  const reached = new Set<TaskState>([start]);
  for (const state of reached) {
    for (const { from, to } of moves) if (from === state) reached.add(to);
  }
  return reached;
}

describe('lifecycle', () => {
  it('has each state once, open or terminal', () => {
    expect(new Set(TASK_STATES).size).toBe(OPEN_STATES.length + TERMINAL_STATES.length);
    for (const state of OPEN_STATES) expect(isTerminal(state)).toBe(false);
    for (const state of TERMINAL_STATES) expect(isTerminal(state)).toBe(true);
  });

  it('reaches every state from birth', () => {
    expect([...reachableFrom('scheduled')].sort()).toEqual([...TASK_STATES].sort());
  });

  it('lets a task leave a terminal state only by an operator', () => {
    const leaving = TRANSITIONS.filter(({ from }) => isTerminal(from));
    expect(leaving.map(({ event }) => event)).toEqual(leaving.map(() => 'retry'));
    expect(leaving.map(({ from }) => from)).not.toContain('completed');
  });

  it.each(OPEN_STATES)('lets a %s task end without an operator', (state) => {
    const withoutOperator = TRANSITIONS.filter(({ event }) => event !== 'retry' && event !== 'cancel');
    expect([...reachableFrom(state, withoutOperator)].some(isTerminal)).toBe(true);
  });

  it('lets a task run only from pending, and complete only from running', () => {
    for (const state of TASK_STATES) {
      expect(canMove(state, 'running')).toBe(state === 'pending');
      expect(canMove(state, 'completed')).toBe(state === 'running');
    }
  });

  it('lets nothing expire that has started', () => {
    expect(canMove('running', 'expired')).toBe(false);
    expect(canMove('retrying', 'expired')).toBe(false);
  });

  it('leads from one state by one event to one state', () => {
    const pairs = TRANSITIONS.map(({ from, event }) => `${from} ${event}`);
    expect(new Set(pairs).size).toBe(pairs.length);
    for (const { from, to } of TRANSITIONS) expect(to).not.toBe(from);
  });
});
