import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../tools/lib/ports.mjs';
import { startNodeService } from '../../tools/lib/processes.mjs';
import { ensureRedis, startRedis } from '../../tools/lib/redis.mjs';

/** One API process before a Redis of its own, as they were last built. */
export class Service {
  #dir;
  #api;

  static async start() {
    const dir = await mkdtemp(join(tmpdir(), 'fairlane-bench-'));
    const { binary, version } = await ensureRedis();
    const redis = await startRedis({ binary, dir, appendfsync: 'no' });
    const port = await freePort();
    const api = startNodeService('api', 'dist/apps/api/src/main.js', {
      ...process.env,
      REDIS_URL: redis.url,
      PORT: String(port),
      LOG_LEVEL: 'warn',
    });
    const service = new Service(dir, redis, api, `http://127.0.0.1:${port}`, version);
    await service.#ready();
    return service;
  }

  constructor(dir, redis, api, url, version) {
    this.#dir = dir;
    this.#api = api;
    this.redis = redis;
    this.url = url;
    /** Of Redis. */
    this.version = version;
  }

  async stop() {
    await this.#api.stop(10_000);
    await this.redis.stop();
    await rm(this.#dir, { recursive: true });
  }

  /** What the API counts now, by name. */
  async metrics() {
    const page = await (await fetch(`${this.url}/metrics`)).text();
    return (name) => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(page)?.[1]);
  }

  async #ready() {
    while (!(await fetch(`${this.url}/health/ready`).catch(() => undefined))?.ok) await delay(50);
  }
}
