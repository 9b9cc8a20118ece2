import { type RedisCluster, startCluster } from '../redis/redis-cluster.js';
import { type SentinelGroup, startSentinel } from '../redis/redis-sentinel.js';
import type { RedisServer } from '../redis/redis-server.js';
import { clusterClient, type Fault, sentinelClient } from './stage.js';
import { witness } from './witness.js';

/** A fault of a master: what it does, and what makes the group whole again once all was seen. */
interface Loss {
  readonly begin: (master: RedisServer) => unknown;
  readonly repair?: (master: RedisServer) => unknown;
}

const KILLED: Loss = { begin: (master) => master.kill(), repair: (master) => master.restart() };
const STOPPED: Loss = { begin: (master) => master.stop(), repair: (master) => master.resume() };

/** Groups that several cells use one after the other, started when the first of them needs one. */
export class FaultGroups {
  #cluster: Promise<RedisCluster> | undefined;
  #sentinel: Promise<SentinelGroup> | undefined;

  get faults(): readonly Fault[] {
    return [
      this.#ofCluster('cluster master killed', () => KILLED),
      this.#ofCluster('cluster master stopped', () => STOPPED),
      this.#ofCluster('planned failover', (cluster) => ({
        begin: async (master) => {
          const [replica] = await cluster.replicasOf(master);
          await replica?.command('CLUSTER', 'FAILOVER');
        },
      })),
      this.#ofSentinel('Sentinel: planned failover', ({ sentinels, name }) => ({
        begin: () => sentinels[0]?.command('SENTINEL', 'FAILOVER', name),
      })),
      this.#ofSentinel('Sentinel: master killed', () => KILLED),
    ];
  }

  async close(): Promise<void> {
    await (await this.#cluster)?.close();
    await (await this.#sentinel)?.close();
  }

  /** It befalls the master that has the sequence of evictions. It is over when all say `cluster_state:ok`. */
  #ofCluster(name: string, lossOf: (cluster: RedisCluster) => Loss): Fault {
    return {
      name,
      topology: 'cluster',
      endsByItself: true,
      stage: async (namespace) => {
        const cluster = await (this.#cluster ??= startCluster());
        const loss = lossOf(cluster);
        const master = await cluster.masterOf(`{${namespace}}:stamps`);
        const other = cluster.nodes.find((node) => node !== master) as RedisServer;
        return {
          open: (major) => clusterClient(major, cluster.urls),
          begin: async () => {
            await loss.begin(master);
          },
          end: async () => {
            await witness(other.url, ['CLUSTER', 'NODES'], (nodes) => !servesSlots(nodes, master));
            await cluster.waitForOk();
          },
          close: async () => {
            await loss.repair?.(master);
            await cluster.waitForReplicas();
          },
        };
      },
    };
  }

  /** It is over when the sentinels agree on another master that knows its role. */
  #ofSentinel(name: string, lossOf: (group: SentinelGroup) => Loss): Fault {
    return {
      name,
      topology: 'sentinel',
      endsByItself: true,
      stage: async () => {
        const group = await (this.#sentinel ??= startSentinel());
        const loss = lossOf(group);
        const master = await group.master();
        const sentinel = group.sentinels[0] as RedisServer;
        return {
          open: (major) => sentinelClient(major, group),
          begin: async () => {
            await loss.begin(master);
          },
          end: async () => {
            const address = ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', group.name];
            await witness(sentinel.url, address, (answer) => !answer.endsWith(String(master.port)));
            await group.waitForOk();
          },
          close: async () => {
            await loss.repair?.(master);
            await group.waitForOk({ replicas: 1 });
          },
        };
      },
    };
  }
}

/** Whether a node is listed, in an answer to CLUSTER NODES, with slots: they follow eight other fields. */
function servesSlots(nodes: string, { port }: RedisServer): boolean {
  const line = nodes.split('\n').find((each) => each.includes(`127.0.0.1:${port}@`));
  return line !== undefined && line.split(' ').length > 8;
}
