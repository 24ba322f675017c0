import { ensureRedis } from '../../tools/lib/redis.mjs';
import { startHttp } from './http-services.mjs';
import { startBenchRedis } from './servers.mjs';

/** One API process before a Redis of its own, as they were last built. */
export class Service {
  #api;

  static async start(fsync) {
    const redis = await startBenchRedis(fsync);
    try {
      return new Service(redis, await startHttp('fairlane', redis), (await ensureRedis()).version);
    } catch (error) {
      await redis.stop();
      throw error;
    }
  }

  constructor(redis, api, version) {
    this.redis = redis;
    this.#api = api;
    this.url = api.url;
    this.pid = api.pid;
    /** Of Redis. */
    this.version = version;
  }

  async stop() {
    await this.#api.stop();
    await this.redis.stop();
  }

  /** What the API counts now, by name. */
  async metrics() {
    const page = await (await fetch(`${this.url}/metrics`)).text();
    return (name) => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(page)?.[1]);
  }
}
