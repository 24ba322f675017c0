import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from '../../tools/lib/ports.mjs';
import { type RedisServer, startRedis } from '../../tools/lib/redis.mjs';

const SLOTS = 16_384;
const NODES = 3;

export interface TestCluster {
  /** For `RedisAddress.clusterNodes`. */
  readonly addresses: readonly { host: string; port: number }[];
  /** A connection to each node, for looking at it and for moving slots. */
  readonly nodes: readonly Redis[];
  /** Begins to move the slot of a key to another node, and gives the steps in which its keys go. */
  beginMove(key: string): Promise<{ moveSome(): Promise<void>; moveRest(): Promise<void> }>;
  /** Gives a node a replica, which every node knows then. */
  addReplica(node: number): Promise<void>;
  /** Name of a queue whose keys are on that node. */
  queueOn(node: number): Promise<string>;
  /** Stops every node and removes its files. */
  cleanup(): Promise<void>;
}

/** A Redis Cluster of three masters with a third of the slots each, all of which know that it is whole. */
export async function startCluster(): Promise<TestCluster> {
  const dir = await mkdtemp(join(tmpdir(), 'fairlane-cluster-'));
  const servers: RedisServer[] = [];
  const replicas: Redis[] = [];
  const nodes: Redis[] = [];
  const cleanup = async () => {
    for (const node of [...nodes, ...replicas]) node.disconnect();
    await Promise.all(servers.map((server) => server.stop()));
    await rm(dir, { recursive: true, force: true });
  };
  const start = async (into: Redis[]) => {
    const busPort = await freePort();
    const server = await startRedis({
      binary: process.env.TEST_REDIS_BINARY!,
      dir: join(dir, String(servers.length)),
      appendfsync: 'everysec',
      args: [
        ...['--cluster-enabled', 'yes', '--cluster-port', String(busPort)],
        ...['--repl-diskless-sync-delay', '0'],
      ],
    });
    servers.push(server);
    const node = new Redis({ port: server.port });
    into.push(node);
    await node.call('CLUSTER', 'SET-CONFIG-EPOCH', servers.length);
    await nodes[0]!.call('CLUSTER', 'MEET', '127.0.0.1', server.port, busPort);
    return node;
  };
  const whole = () => Promise.all([...nodes, ...replicas].map((node) => untilWhole(node, servers.length)));
  try {
    for (let i = 0; i < NODES; i += 1) {
      const node = await start(nodes);
      await node.call('CLUSTER', 'ADDSLOTSRANGE', firstSlot(i), firstSlot(i + 1) - 1);
    }
    await whole();
  } catch (error) {
    await cleanup();
    throw error;
  }
  return {
    addresses: servers.map(({ port }) => ({ host: '127.0.0.1', port })),
    nodes,
    beginMove: (key) => beginMove(nodes, key),
    async addReplica(node) {
      const replica = await start(replicas);
      await whole();
      await replica.call('CLUSTER', 'REPLICATE', (await nodes[node]!.call('CLUSTER', 'MYID')) as string);
      while (!(await nodes[node]!.info('replication')).includes('state=online')) await delay(25);
    },
    async queueOn(node) {
      for (let n = 0; ; n += 1) {
        if (ownerOf(await slotOf(nodes[0]!, `{queue-${n}}`)) === node) return `queue-${n}`;
      }
    },
    cleanup,
  };
}

async function beginMove(nodes: readonly Redis[], key: string) {
  const slot = await slotOf(nodes[0]!, key);
  const at = ownerOf(slot);
  const [from, to] = [nodes[at]!, nodes[(at + 1) % NODES]!];
  const [fromId, toId] = [await from.call('CLUSTER', 'MYID'), await to.call('CLUSTER', 'MYID')] as [
    string,
    string,
  ];
  await to.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
  await from.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
  const move = async (keys: string[]) => {
    await from.call('MIGRATE', '127.0.0.1', to.options.port!, '', 0, 5_000, 'KEYS', ...keys);
  };
  const keysLeft = async () => (await from.call('CLUSTER', 'GETKEYSINSLOT', slot, 10_000)) as string[];
  return {
    async moveSome() {
      const keys = await keysLeft();
      await move(keys.slice(0, keys.length / 2));
    },
    async moveRest() {
      await move(await keysLeft());
      // The new owner first: else there is a moment in which neither believes that the slot is its own.
      for (const node of [to, from, ...nodes]) await node.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
    },
  };
}

function firstSlot(node: number): number {
  return Math.ceil((node * SLOTS) / NODES);
}

/** The node that had the slot at first. */
function ownerOf(slot: number): number {
  return Math.floor((slot * NODES) / SLOTS);
}

async function slotOf(node: Redis, key: string): Promise<number> {
  return Number(await node.call('CLUSTER', 'KEYSLOT', key));
}

async function untilWhole(node: Redis, known: number): Promise<void> {
  for (;;) {
    const info = String(await node.call('CLUSTER', 'INFO'));
    if (info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${known}`)) return;
    await delay(25);
  }
}
