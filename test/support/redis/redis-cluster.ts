import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findRedisServer } from '../../../scripts/redis-server.mjs';
import { poll } from './poll.js';
import { infoField, RedisConnection, type Reply } from './redis-command.js';
import { launchRedis, type RedisOptions, type RedisServer, serverArguments } from './redis-server.js';

const CREATE_TIMEOUT_MS = 30_000;
const SETTLE_TIMEOUT_MS = 30_000;
const SETTLE_POLL_MS = 25;

export interface ClusterOptions extends Omit<RedisOptions, 'port' | 'requirepass'> {
  /** Default: 3, the least that Redis allows. */
  readonly masters?: number;
  /** Default: 1. */
  readonly replicasPerMaster?: number;
  /** How long a node may be silent before the others call it failed, in milliseconds. Default: 1,000. */
  readonly nodeTimeoutMs?: number;
}

/** Asks a node one thing. */
type Ask = (node: RedisServer, ...args: string[]) => Promise<Reply>;

const askOnce: Ask = (node, ...args) => node.command(...args);

/** One line of CLUSTER NODES. */
interface NodeView {
  readonly server: RedisServer;
  readonly id: string;
  readonly isMaster: boolean;
  /** Id of a replica's master; `-` on a master. */
  readonly masterId: string;
  /** First and last slot of each range that it serves. */
  readonly slots: readonly (readonly [number, number])[];
}

/**
 * Starts a Redis Cluster on 127.0.0.1; it serves all slots and its replicas are in step when this resolves.
 *
 * @example
 * const cluster = await startCluster();
 * await (await cluster.masterOf('key')).kill();
 * await cluster.waitForOk(); // a replica was promoted
 */
export async function startCluster(options: ClusterOptions = {}): Promise<RedisCluster> {
  const { masters = 3, replicasPerMaster = 1, nodeTimeoutMs = 1_000, args = [], ...rest } = options;
  const clusterArgs = [
    ['--cluster-enabled', 'yes'],
    ['--cluster-config-file', 'nodes.conf'],
    ['--cluster-node-timeout', String(nodeTimeoutMs)],
    // A replica that moves to another master would make the next fault of a test another one.
    ['--cluster-allow-replica-migration', 'no'],
  ].flat();
  const nodeOptions = { ...rest, args: [...clusterArgs, ...args] };
  const starts = await Promise.allSettled(
    Array.from({ length: masters * (1 + replicasPerMaster) }, () =>
      launchRedis({ args: (port, folder) => serverArguments(nodeOptions, port, folder) }),
    ),
  );
  const cluster = new RedisCluster(
    starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : [])),
  );
  try {
    const failed = starts.find((start) => start.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    await create(cluster.nodes, replicasPerMaster);
    await cluster.waitForOk();
    await cluster.waitForReplicas();
    return cluster;
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

async function create(nodes: readonly RedisServer[], replicas: number): Promise<void> {
  const { cli } = await findRedisServer();
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
  const options = ['--cluster-replicas', String(replicas), '--cluster-yes'];
  await promisify(execFile)(cli, ['--cluster', 'create', ...addresses, ...options], {
    timeout: CREATE_TIMEOUT_MS,
  });
}

/** A running Redis Cluster; `startCluster` makes it. */
export class RedisCluster {
  constructor(readonly nodes: readonly RedisServer[]) {}

  /** Of all nodes, as in `redis://127.0.0.1:14711`. */
  get urls(): string[] {
    return this.nodes.map(({ url }) => url);
  }

  /** The node that serves a key's slot now, as the first node that is alive sees it. */
  async masterOf(key: string): Promise<RedisServer> {
    const slot = Number(await this.#anyAlive().command('CLUSTER', 'KEYSLOT', key));
    const owner = (await this.#view(this.#anyAlive())).find(({ slots }) =>
      slots.some(([first, last]) => first <= slot && slot <= last),
    );
    if (owner === undefined) throw new Error(`no node serves slot ${slot}`);
    return owner.server;
  }

  /** The replicas of a node, as the first node that is alive sees them. */
  async replicasOf(master: RedisServer): Promise<RedisServer[]> {
    const view = await this.#view(this.#anyAlive());
    const id = view.find(({ server }) => server === master)?.id;
    return view.filter(({ masterId }) => masterId === id).map(({ server }) => server);
  }

  /** Planned failover: a replica of this node takes over, with nothing lost. Resolves with the new master. */
  async failOver(master: RedisServer): Promise<RedisServer> {
    const [replica] = await this.replicasOf(master);
    if (replica === undefined) throw new Error(`the node on ${master.port} has no replica`);
    await replica.command('CLUSTER', 'FAILOVER');
    await poll('the replica to be a master', async () => (await isMaster(replica)) || undefined);
    await this.waitForOk();
    return replica;
  }

  /**
   * Resolves when each node that is alive reports `cluster_state:ok` and sees all slots served by nodes that are
   * alive: after a kill this is not before the failover, although nodes go on to say `ok` for a while. And when all see
   * the same nodes serve the same slots: who takes a slot for another's votes against every failover of its owner.
   */
  async waitForOk(timeoutMs: number = SETTLE_TIMEOUT_MS): Promise<void> {
    await this.#settle('cluster_state:ok', (ask) => this.#isOk(ask), timeoutMs);
  }

  /**
   * Resolves when each node that is alive serves slots or follows a node that does, with its data, and all know it: a
   * master that comes back after a failover takes itself for the master for a while.
   */
  async waitForReplicas(timeoutMs: number = SETTLE_TIMEOUT_MS): Promise<void> {
    await this.#settle('replicas in step', (ask) => this.#isInStep(ask), timeoutMs);
  }

  /** Ends all nodes and removes their folders. */
  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Polls all nodes, over one connection to each. */
  async #settle(what: string, isSettled: (ask: Ask) => Promise<boolean>, timeoutMs: number): Promise<void> {
    const connections = new Map(this.nodes.map((node) => [node, new RedisConnection(node.url)]));
    const ask: Ask = (node, ...args) => (connections.get(node) as RedisConnection).command(args);
    try {
      await poll(what, async () => (await isSettled(ask)) || undefined, timeoutMs, SETTLE_POLL_MS);
    } finally {
      for (const connection of connections.values()) connection.close();
    }
  }

  #alive(): RedisServer[] {
    return this.nodes.filter(({ alive }) => alive);
  }

  #anyAlive(): RedisServer {
    const [node] = this.#alive();
    if (node === undefined) throw new Error('no node of the cluster is alive');
    return node;
  }

  async #isOk(ask: Ask): Promise<boolean> {
    const owners = this.#alive().map(async (node) => {
      const info = await ask(node, 'CLUSTER', 'INFO');
      if (infoField(info, 'cluster_state') !== 'ok') return undefined;
      if (infoField(info, 'cluster_slots_assigned') !== '16384') return undefined;
      const masters = (await this.#view(node, ask)).filter(({ slots }) => slots.length > 0);
      if (!masters.every(({ server }) => server.alive)) return undefined;
      return masters
        .map(({ id, slots }) => `${id} ${slots.join(' ')}`)
        .sort()
        .join('\n');
    });
    const [first, ...others] = await Promise.all(owners);
    return first !== undefined && others.every((each) => each === first);
  }

  async #isInStep(ask: Ask): Promise<boolean> {
    const alive = this.#alive();
    const views = (await Promise.all(alive.map((node) => this.#view(node, ask)))).flat();
    const idle = ({ server, isMaster, slots }: NodeView) => server.alive && isMaster && slots.length === 0;
    if (views.some(idle)) return false;
    const links = alive.map(async (node) => {
      const info = await ask(node, 'INFO', 'replication');
      return infoField(info, 'role') === 'master' || infoField(info, 'master_link_status') === 'up';
    });
    return (await Promise.all(links)).every(Boolean);
  }

  async #view(seenBy: RedisServer, ask = askOnce): Promise<NodeView[]> {
    const lines = String(await ask(seenBy, 'CLUSTER', 'NODES'))
      .trim()
      .split('\n');
    return lines.flatMap((line) => {
      const [id = '', address = '', flags = '', masterId = '', , , , , ...slots] = line.split(' ');
      const server = this.nodes.find(({ port }) => address.startsWith(`127.0.0.1:${port}@`));
      return server === undefined
        ? []
        : [
            {
              server,
              id,
              masterId,
              isMaster: flags.split(',').includes('master'),
              slots: slots.map(slotRange),
            },
          ];
    });
  }
}

function slotRange(text: string): readonly [number, number] {
  const [first, last = first] = text.split('-');
  return [Number(first), Number(last)];
}

async function isMaster(node: RedisServer): Promise<boolean> {
  return (await node.info('replication', 'role')) === 'master';
}
