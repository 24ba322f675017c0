// One Redis for all suites that do not break theirs; each test keeps to its own key prefix.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureRedis, startRedis } from '../../tools/lib/redis.mjs';

export default async function globalSetup() {
  const { binary } = await ensureRedis();
  const dir = await mkdtemp(join(tmpdir(), 'fairlane-test-'));
  const redis = await startRedis({ binary, dir, appendfsync: 'everysec' });
  process.env.TEST_REDIS_PORT = String(redis.port);
  process.env.TEST_REDIS_BINARY = binary;
  globalThis.stopTestRedis = async () => {
    await redis.stop();
    await rm(dir, { recursive: true });
  };
}
