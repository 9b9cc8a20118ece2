import { poll } from './poll.js';
import { launchRedis, type RedisServer, serverArguments } from './redis-server.js';

const MASTER_NAME = 'cache';
const SENTINELS = 3;
const QUORUM = 2;
const DOWN_AFTER_MS = 500;
const FAILOVER_TIMEOUT_MS = 1_500;
/** Sentinels turn an old master into a replica after four of these and one look at it: 2,000 and 10,000 as they come. */
const PUBLISH_PERIOD_MS = 300;
const INFO_PERIOD_MS = 500;
const SETTLE_TIMEOUT_MS = 30_000;
const SETTLE_POLL_MS = 25;

/**
 * Starts a master, a replica and three sentinels that watch them; they know each other when this resolves.
 *
 * @example
 * const group = await startSentinel();
 * await (await group.master()).kill();
 * await group.waitForOk(); // the replica was promoted
 */
export async function startSentinel(): Promise<SentinelGroup> {
  const started: RedisServer[] = [];
  const keep = (server: RedisServer): RedisServer => {
    started.push(server);
    return server;
  };
  try {
    const master = keep(await launchRedis(dataNode('')));
    const replica = keep(await launchRedis(dataNode(`replicaof 127.0.0.1 ${master.port}\n`)));
    const sentinels: RedisServer[] = [];
    for (let count = 0; count < SENTINELS; count++) sentinels.push(keep(await launchSentinel(master.port)));
    await Promise.all(sentinels.map(hurry));
    const group = new SentinelGroup([master, replica], sentinels);
    await group.waitForOk({ replicas: 1 });
    return group;
  } catch (error) {
    await Promise.all(started.map((server) => server.close()));
    throw error;
  }
}

/** Sentinels write into `redis.conf` whom a node follows, so that it keeps its role over a restart. */
function dataNode(configuration: string) {
  return {
    configuration,
    args: (port: number, folder: string) => ['redis.conf', ...serverArguments({}, port, folder)],
  };
}

function launchSentinel(masterPort: number): Promise<RedisServer> {
  const configuration = [
    `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${masterPort} ${QUORUM}`,
    `sentinel down-after-milliseconds ${MASTER_NAME} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${MASTER_NAME} ${FAILOVER_TIMEOUT_MS}`,
    `sentinel parallel-syncs ${MASTER_NAME} 1`,
    '',
  ].join('\n');
  return launchRedis({
    configuration,
    args: (port, folder) => {
      const flags = { port: String(port), bind: '127.0.0.1', dir: folder, logfile: 'redis.log' };
      return [
        'redis.conf',
        '--sentinel',
        ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
      ];
    },
  });
}

async function hurry(sentinel: RedisServer): Promise<void> {
  const periods = { 'publish-period': PUBLISH_PERIOD_MS, 'info-period': INFO_PERIOD_MS };
  await sentinel.command('SENTINEL', 'DEBUG', ...Object.entries(periods).flat().map(String));
}

/** A master and its replica under three sentinels; `startSentinel` makes it. */
export class SentinelGroup {
  /** The name under which sentinels know the master. */
  readonly name = MASTER_NAME;

  constructor(
    /** Master and replica; which is which changes with a failover. */
    readonly servers: readonly RedisServer[],
    readonly sentinels: readonly RedisServer[],
  ) {}

  /** Addresses of the sentinels, as node-redis takes them. */
  get rootNodes(): { host: string; port: number }[] {
    return this.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
  }

  /** The master now, as the first sentinel that is alive sees it. */
  async master(): Promise<RedisServer> {
    const [sentinel] = this.#aliveSentinels();
    if (sentinel === undefined) throw new Error('no sentinel is alive');
    return this.#masterSeenBy(sentinel);
  }

  /** Planned failover: the replica takes over. Resolves with the new master. */
  async failOver(): Promise<RedisServer> {
    const before = await this.master();
    const [sentinel] = this.#aliveSentinels();
    await sentinel?.command('SENTINEL', 'FAILOVER', this.name);
    const changed = async () => ((await this.master()) === before ? undefined : true);
    await poll('another master', changed, SETTLE_TIMEOUT_MS, SETTLE_POLL_MS);
    await this.waitForOk();
    return this.master();
  }

  /**
   * Resolves when the sentinels that are alive agree on a master that is alive and knows its role.
   *
   * @param replicas how many replicas each sentinel must know, and the master must have in step; default: 0
   */
  async waitForOk({ replicas = 0, timeoutMs = SETTLE_TIMEOUT_MS } = {}): Promise<void> {
    const isOk = async () => (await this.#isOk(replicas)) || undefined;
    await poll('sentinels to agree on a master', isOk, timeoutMs, SETTLE_POLL_MS);
  }

  /** Ends all processes and removes their folders. */
  async close(): Promise<void> {
    await Promise.all([...this.sentinels, ...this.servers].map((server) => server.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #aliveSentinels(): RedisServer[] {
    return this.sentinels.filter(({ alive }) => alive);
  }

  async #masterSeenBy(sentinel: RedisServer): Promise<RedisServer> {
    const address = await sentinel.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', this.name);
    const port = Array.isArray(address) ? Number(address[1]) : Number.NaN;
    const server = this.servers.find((each) => each.port === port);
    if (server === undefined) throw new Error(`sentinels know another master: ${String(address)}`);
    return server;
  }

  async #isOk(replicas: number): Promise<boolean> {
    const sentinels = this.#aliveSentinels();
    const [master, ...others] = await Promise.all(sentinels.map((sentinel) => this.#masterSeenBy(sentinel)));
    if (master === undefined || !master.alive || others.some((other) => other !== master)) return false;
    if ((await master.info('replication', 'role')) !== 'master') return false;
    if (replicas === 0) return true;
    const line = `status=ok,address=127.0.0.1:${master.port},slaves=${replicas},sentinels=${SENTINELS}`;
    const reports = await Promise.all(sentinels.map((sentinel) => sentinel.info('sentinel', 'master0')));
    const inStep = Number(await master.info('replication', 'connected_slaves')) >= replicas;
    const online = (await master.info('replication', 'slave0'))?.includes('state=online') === true;
    return inStep && online && reports.every((report) => report?.endsWith(line));
  }
}
