import * as engine from './scenarios/engine.mjs';
import * as http from './scenarios/http.mjs';

/**
 * @typedef {object} Scenario
 * @property {Record<string, {title: string, unit: string, less?: boolean}>} figures what is measured; `less`: less is better
 * @property {string[]} systems whom; in the figures the first one is compared with each of the others
 * @property {(system: string, settings: object) => Promise<Record<string, number>>} measure one round: a number per figure
 */

/** @type {Record<string, Scenario>} */
export const scenarios = {
  'enqueue-singly': engine.enqueueSingly,
  'enqueue-batches': engine.enqueueBatches,
  drain: engine.drain,
  latency: engine.latency,
  memory: engine.memory,
  'http-post': http.post,
  'http-post-batches': http.postBatches,
  'http-get': http.get,
};
