import * as engine from './scenarios/engine.mjs';
import { fsync } from './scenarios/fsync.mjs';
import * as http from './scenarios/http.mjs';
import { pull, wait } from './scenarios/pull.mjs';
import { redis } from './scenarios/redis.mjs';
import { idle, start } from './scenarios/rest.mjs';
import { size } from './scenarios/size.mjs';

/**
 * @typedef {object} Scenario
 * @property {Record<string, {title: string, unit: string, less?: boolean}>} figures what is measured; `less`: less is better
 * @property {number} [rounds] how many, where three differ too much for a median
 * @property {string[]} systems whom; in the figures the first one is compared with each of the others
 * @property {(system: string, settings: object) => Promise<{stop(): Promise<unknown>}>} [prepare] what all rounds of a system share
 * @property {(system: string, settings: object, prepared?: object) => Promise<Record<string, number>>} measure one round: a
 *   number per figure
 */

/** @type {Record<string, Scenario>} */
export const scenarios = {
  'enqueue-singly': engine.enqueueSingly,
  'enqueue-batches': engine.enqueueBatches,
  drain: engine.drain,
  latency: engine.latency,
  memory: engine.memory,
  redis,
  'http-post': http.post,
  'http-post-batches': http.postBatches,
  'http-get': http.get,
  'http-pull': pull,
  'http-wait': wait,
  size,
  fsync,
  idle,
  start,
};
