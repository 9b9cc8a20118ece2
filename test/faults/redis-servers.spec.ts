import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { poll } from '../support/redis/poll.js';
import { type RedisCluster, startCluster } from '../support/redis/redis-cluster.js';
import { redisCommand } from '../support/redis/redis-command.js';
import { type SentinelGroup, startSentinel } from '../support/redis/redis-sentinel.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';
import {
  CLUSTER_CLIENTS,
  type OpenClient,
  SENTINEL_CLIENTS,
  SINGLE_CLIENTS,
} from '../support/redis/clients.js';

const LONG = 60_000;

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** What each server left behind after its end; empty when all is well. */
function leftOvers(servers: readonly { pid: number; folder: string }[]): string[] {
  return servers.flatMap(({ pid, folder }) => [
    ...(isRunning(pid) ? [`process ${pid}`] : []),
    ...(existsSync(folder) ? [folder] : []),
  ]);
}

const identify = ({ pid, folder }: RedisServer) => ({ pid, folder });

async function roundTrip({ client, connected, close }: OpenClient): Promise<unknown> {
  try {
    await connected;
    await client.set('key', 'value');
    return await client.get('key');
  } finally {
    await close();
  }
}

describe('A standalone server', () => {
  it('keeps its append-only file over a kill, and its port over a restart', async () => {
    await using redis = await startRedis({ appendonly: true });
    await redis.command('SET', 'key', 'value');
    const { pid } = redis;
    await redis.kill();
    expect(isRunning(pid)).toBe(false);
    await expect(redis.command('PING')).rejects.toThrow('ECONNREFUSED');

    await redis.restart();
    expect(await redis.command('GET', 'key')).toBe('value');
  });

  it('is silent while it is stopped and goes on when it is resumed', async () => {
    await using redis = await startRedis();
    redis.stop();
    await expect(redisCommand(redis.url, ['PING'], 100)).rejects.toThrow('not answered in 100 ms');
    redis.resume();
    expect(await redis.command('PING')).toBe('PONG');
  });

  it('has the memory, the policy, the password and the further arguments that it was given', async () => {
    await using redis = await startRedis({
      maxmemory: '3mb',
      maxmemoryPolicy: 'allkeys-lru',
      requirepass: 'p@ss/word',
      args: ['--hz', '50'],
    });
    const settings = ['maxmemory', '3145728', 'maxmemory-policy', 'allkeys-lru', 'hz', '50'];
    const given = await redis.command('CONFIG', 'GET', 'maxmemory', 'maxmemory-policy', 'hz');
    expect((given as string[]).sort()).toEqual(settings.sort());
    await expect(redisCommand(`redis://127.0.0.1:${redis.port}`, ['PING'])).rejects.toThrow('NOAUTH');
  });

  it('can be met while it is loading', async () => {
    await using redis = await startRedis({ appendonly: true });
    await redis.command('DEBUG', 'POPULATE', '5000');
    await redis.command('BGREWRITEAOF');
    await poll(
      'the rewrite',
      async () => (await redis.info('persistence', 'aof_rewrite_in_progress')) === '0' || undefined,
    );
    const slowly = ['--key-load-delay', '500', '--loading-process-events-interval-bytes', '1024'];
    await redis.restart({ args: slowly, until: 'listening' });
    await expect(redis.command('GET', 'key:1')).rejects.toThrow('LOADING');
  });

  it('says why it did not start', async () => {
    await using redis = await startRedis();
    await expect(startRedis({ port: redis.port })).rejects.toThrow('Address already in use');
  });

  it('is gone with its folder once it is closed, even when it is stopped', async () => {
    const redis = await startRedis();
    const server = identify(redis);
    redis.stop();
    await redis.close();
    expect(leftOvers([server])).toEqual([]);
  });

  it('is gone with its folder when the process that started it is killed', { timeout: LONG }, async () => {
    const start = `
      const { module } = await (await import('vite')).runnerImport('./test/support/redis/redis-server.ts');
      const { pid, folder } = await module.startRedis();
      process.stdout.write(JSON.stringify({ pid, folder }));`;
    const run = spawn(process.execPath, ['--input-type=module', '-e', start], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [printed] = await once(run.stdout, 'data');
    const server = JSON.parse(String(printed)) as { pid: number; folder: string };
    expect(isRunning(server.pid)).toBe(true);

    run.kill('SIGKILL');
    await poll('the watchdog', async () => leftOvers([server]).length === 0 || undefined);
  });

  it.each(SINGLE_CLIENTS)('serves $name (node-redis $major)', async ({ open }) => {
    await using redis = await startRedis();
    expect(await roundTrip(await open(redis.url))).toBe('value');
  });
});

describe('A cluster', () => {
  let cluster: RedisCluster | undefined;
  const running = async () => (cluster ??= await startCluster());
  afterAll(() => cluster?.close());

  it.each(CLUSTER_CLIENTS)('serves $name (node-redis $major)', { timeout: LONG }, async ({ open }) => {
    expect(await roundTrip(await open(await running()))).toBe('value');
  });

  it(
    'promotes a replica of a master that was killed, and takes it back as a replica',
    { timeout: LONG },
    async () => {
      const nodes = await running();
      const master = await nodes.masterOf('key');
      const [replica] = await nodes.replicasOf(master);
      await master.kill();
      await nodes.waitForOk();
      expect(await nodes.masterOf('key')).toBe(replica);

      await master.restart();
      await nodes.waitForReplicas();
      expect(await nodes.replicasOf(replica as RedisServer)).toEqual([master]);
    },
  );

  it('promotes a replica of a master that was stopped', { timeout: LONG }, async () => {
    const nodes = await running();
    const master = await nodes.masterOf('key');
    master.stop();
    await nodes.waitForOk();
    expect(await nodes.masterOf('key')).not.toBe(master);
    master.resume();
    await nodes.waitForReplicas();
  });

  it('hands a slot over in a planned failover, with its data', { timeout: LONG }, async () => {
    const nodes = await running();
    const master = await nodes.masterOf('key');
    await master.command('SET', 'key', 'kept');
    const successor = await nodes.failOver(master);
    expect(successor).not.toBe(master);
    expect(await nodes.masterOf('key')).toBe(successor);
    expect(await successor.command('GET', 'key')).toBe('kept');
  });

  it('leaves nothing running', async () => {
    const nodes = await running();
    const servers = nodes.nodes.map(identify);
    await nodes.close();
    expect(leftOvers(servers)).toEqual([]);
  });
});

describe('A group under sentinels', () => {
  let group: SentinelGroup | undefined;
  const running = async () => (group ??= await startSentinel());
  afterAll(() => group?.close());

  it.each(SENTINEL_CLIENTS)('serves $name (node-redis $major)', { timeout: LONG }, async ({ open }) => {
    expect(await roundTrip(await open(await running()))).toBe('value');
  });

  it('hands the master over in a planned failover', { timeout: LONG }, async () => {
    const servers = await running();
    const master = await servers.master();
    expect(await servers.failOver()).not.toBe(master);
  });

  it('promotes the replica of a master that was killed', { timeout: LONG }, async () => {
    const servers = await running();
    await servers.waitForOk({ replicas: 1 });
    const master = await servers.master();
    await master.kill();
    await servers.waitForOk();
    expect(await servers.master()).not.toBe(master);
    await master.restart();
  });

  it('leaves nothing running', async () => {
    const servers = await running();
    const all = [...servers.servers, ...servers.sentinels].map(identify);
    await servers.close();
    expect(leftOvers(all)).toEqual([]);
  });
});
