// Types for the suites under test/ and bench/, which start their own servers; the meaning is documented in redis.mjs.
export interface RedisServer {
  readonly pid: number;
  readonly port: number;
  readonly url: string;
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
  stop(): Promise<void>;
}

export interface StartRedisOptions {
  readonly binary: string;
  readonly dir: string;
  readonly port?: number;
  readonly appendfsync?: 'always' | 'everysec' | 'no';
  readonly args?: readonly string[];
  readonly readyTimeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly onSpawn?: (server: Pick<RedisServer, 'pid' | 'port' | 'stop'>) => Promise<void>;
}

export function startRedis(options: StartRedisOptions): Promise<RedisServer>;
export function startSentinel(options: {
  readonly binary: string;
  readonly dir: string;
  readonly config: readonly string[];
}): Promise<Omit<RedisServer, 'url'>>;
export function findRedis(): Promise<{ binary: string; version: string } | undefined>;
export function ensureRedis(): Promise<{ binary: string; version: string }>;
