/** Where Redis or Valkey is: a URL, a single server, a Sentinel group or a cluster. */
export interface RedisAddress {
  /** `redis://` or `rediss://`. Instead of everything else but the credentials. */
  url?: string;
  host?: string;
  port?: number;
  db?: number;
  username?: string;
  password?: string;
  tls?: boolean;
  /** Sentinels that know the master by `sentinelName`. */
  sentinels?: readonly { host: string; port: number }[];
  sentinelName?: string;
  sentinelPassword?: string;
  /** Some nodes of a Redis Cluster; the rest is discovered. */
  clusterNodes?: readonly { host: string; port: number }[];
}
