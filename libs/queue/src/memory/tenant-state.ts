import type { TenantSettings } from '../core/settings.js';
import { Minutes } from './minutes.js';
import { Waits } from './waits.js';

/** What a queue knows of a tenant besides its tasks. */
export class TenantState {
  settings: TenantSettings = {};
  paused = false;
  /** Of its rate; see rate.ts. */
  tat = 0;
  minutes = new Minutes();
  waits = new Waits();
  /** When a task of it last ended. */
  endedAt = 0;
  /** Its place among those that were served as a named tenant: the larger, the later; 0 where it never was. */
  servedAt = 0;

  /** What it did, but not what an operator decided about it. */
  forget(): void {
    this.tat = 0;
    this.minutes = new Minutes();
    this.waits = new Waits();
  }
}
