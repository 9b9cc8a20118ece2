import { Controller, Get, Param } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { Test } from '@nestjs/testing';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import {
  CacheView,
  CachingConfig,
  CachingConfigError,
  CachingModule,
  jsonBody,
  memory,
  nullStore,
  redis,
  storeFromUrl,
} from 'nestjs-caching';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { resolveOptions } from '../../libs/caching/src/resolve-options.js';
import { CapturedLogger } from '../support/captured-logger.js';
import { startOnRedis, store } from '../support/redis/applications.js';
import { poll } from '../support/redis/poll.js';
import { redisCommand } from '../support/redis/redis-command.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';

const SECRET = 's3cr@t/:%';
const folder = mkdtempSync(join(tmpdir(), 'nestjs-caching-env-'));

@Controller('shop')
class ShopController {
  @Get() @CacheView() list() {
    return [];
  }
}

function read(env: Record<string, string>) {
  return CachingConfig.read({ env });
}

function problem(env: Record<string, string>): CachingConfigError {
  try {
    read(env);
  } catch (error) {
    if (error instanceof CachingConfigError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('CachingConfig', () => {
  it('gives nothing where no variable is set, or all are empty', () => {
    expect(read({ OTHER_TTL: '1s', CACHE_TTL: '', CACHE_URL: ' ' })).toEqual({});
  });

  it('reads each option by its rules', () => {
    const env = {
      CACHE_ENABLED: 'Yes',
      CACHE_ALL: '1',
      CACHE_TTL: '90s',
      CACHE_NAMESPACE: 'shop',
      CACHE_VERSION: '7',
      CACHE_MAX_ENTRY_BYTES: '512KiB',
      CACHE_MEMORY_MAX_BYTES: '0.5Gi',
      CACHE_MEMORY_MAX_ENTRIES: '1000',
      CACHE_KEY_HASH: 'sha512',
      CACHE_STORE_TIMEOUT: '250',
      CACHE_COALESCE: 'cluster',
      CACHE_CREDENTIAL_COOKIES: 'session, token',
      CACHE_ETAG: 'off',
      CACHE_DEBUG_HEADERS: 'false',
    };
    expect(read(env)).toEqual({
      enabled: true,
      cacheAll: true,
      ttl: '90s',
      namespace: 'shop',
      version: '7',
      maxEntryBytes: 524_288,
      memory: { maxBytes: 536_870_912, maxEntries: 1_000 },
      keyHash: 'sha512',
      storeTimeout: 250,
      coalesce: 'cluster',
      credentialCookies: ['session', 'token'],
      etag: false,
      debugHeaders: false,
    });
  });

  it.each([
    ['CACHE_TTL', '5 minutes'],
    ['CACHE_TTL', '0'],
    ['CACHE_TTL', '-1'],
    ['CACHE_ENABLED', 'maybe'],
    ['CACHE_NAMESPACE', 'a b'],
    ['CACHE_NAMESPACE', 't'],
    ['CACHE_MAX_ENTRY_BYTES', '1 elephant'],
    ['CACHE_MAX_ENTRY_BYTES', '0'],
    ['CACHE_MEMORY_MAX_ENTRIES', '1.5'],
    ['CACHE_MEMORY_MAX_ENTRIES', '0'],
    ['CACHE_KEY_HASH', 'rot13'],
    ['CACHE_COHERENCE', 'eventual'],
    ['CACHE_COALESCE', 'everywhere'],
    ['CACHE_CREDENTIAL_COOKIES', 'a,,b'],
    ['CACHE_URL', 'mongodb://localhost'],
    ['CACHE_URL', 'redis://localhost/x'],
    ['CACHE_URL', 'sqlite:'],
    ['CACHE_REDIS_HOST', 'a b'],
    ['CACHE_REDIS_HOST', 'a,b'],
    ['CACHE_REDIS_SENTINELS', 'a:x'],
    ['CACHE_REDIS_CLUSTER', ','],
  ])('names the variable that has a wrong value: %s=%s', (variable, text) => {
    const { field, message, allowed } = problem({ [variable]: text });
    expect(field).toBe(variable);
    expect(message).toContain(`"${variable}"`);
    expect(allowed).not.toBe('');
  });

  it.each([
    ['CACHE_REDIS_PORT', { CACHE_REDIS_HOST: 'h', CACHE_REDIS_PORT: 'x' }],
    ['CACHE_REDIS_DB', { CACHE_REDIS_HOST: 'h', CACHE_REDIS_DB: 'one' }],
    ['CACHE_REDIS_TLS', { CACHE_REDIS_HOST: 'h', CACHE_REDIS_TLS: 'tls' }],
    ['CACHE_REDIS_CA_FILE', { CACHE_REDIS_HOST: 'h', CACHE_REDIS_CA_FILE: '/nowhere' }],
    ['CACHE_REDIS_PASSWORD_FILE', { CACHE_REDIS_HOST: 'h', CACHE_REDIS_PASSWORD_FILE: '/nowhere' }],
    ['CACHE_REDIS_SENTINEL_MASTER', { CACHE_REDIS_SENTINELS: 'h' }],
    ['CACHE_REDIS_CLUSTER', { CACHE_REDIS_HOST: 'h', CACHE_REDIS_CLUSTER: 'h' }],
    ['CACHE_SQLITE_MAX_BYTES', { CACHE_URL: 'sqlite:x', CACHE_SQLITE_MAX_BYTES: '0' }],
    ['CACHE_SQLITE_MAX_ENTRIES', { CACHE_SQLITE_FILE: 'x', CACHE_SQLITE_MAX_ENTRIES: '0' }],
    ['CACHE_SQLITE_FILE', { CACHE_REDIS_HOST: 'h', CACHE_SQLITE_FILE: 'x' }],
    ['CACHE_REDIS_WAIT_FOR_REPLICAS', { CACHE_URL: 'redis://h', CACHE_REDIS_WAIT_FOR_REPLICAS: '-1' }],
  ])('names the variable that is wrong among several: %s', (variable, env) => {
    expect(problem(env as unknown as Record<string, string>).field).toBe(variable);
  });

  it.each([
    `redis://app:${SECRET}@host`,
    `redis://app:${encodeURIComponent(SECRET)}@host/x`,
    `http://app:${encodeURIComponent(SECRET)}@host`,
    encodeURIComponent(SECRET),
  ])('shows no password of a URL that is refused: %s', (url) => {
    const error = problem({ CACHE_URL: url, CACHE_REDIS_PASSWORD: SECRET });
    const shown = [error.message, inspect(error), inspect(error.given)].join('\n');
    for (const secret of [SECRET, encodeURIComponent(SECRET), 's3cr']) expect(shown).not.toContain(secret);
  });

  it('takes a prefix, another source, and options that no variable can say', () => {
    const key = jsonBody();
    const env = new Map<string, unknown>([
      ['SHOP_TTL', 5_000],
      ['SHOP_ENABLED', false],
      ['CACHE_NAMESPACE', 'other'],
    ]);
    const options = CachingConfig.read({
      prefix: 'SHOP_',
      env: (name) => env.get(name) as string | undefined,
      options: { ttl: '1m', key, namespace: 'shop' },
    });
    expect(options).toEqual({ ttl: 5_000, enabled: false, key, namespace: 'shop' });
  });

  it('leaves out bounds of memory where a store has no memory in front of it', () => {
    const env = { CACHE_MEMORY_MAX_ENTRIES: '10', CACHE_URL: 'null:' };
    expect(Object.keys(read(env))).toEqual(['store']);
    const shared = read({ ...env, CACHE_URL: 'redis://127.0.0.1:2' });
    expect(shared.memory).toEqual({ maxEntries: 10 });
  });
});

describe('storeFromUrl', () => {
  it('makes the store that a URL names', () => {
    expect(storeFromUrl('memory:').name).toBe(memory().name);
    expect(storeFromUrl('null:').name).toBe(nullStore().name);
    expect(storeFromUrl('sqlite:a%20file').name).toBe('sqlite');
    for (const url of ['redis://h', 'rediss://h', 'redis+sentinel://h/m', 'redis+cluster://h', 'unix:///s'])
      expect(storeFromUrl(url).name).toBe(redis({ url: 'redis://h' }).name);
  });

  it.each(['', 'redis', 'mongodb://h', 'sqlite:', 'sqlite:%zz', 'sqlite:x?y', 5, undefined])(
    'refuses what names none: %j',
    (url) => {
      expect(() => storeFromUrl(url as string)).toThrow(CachingConfigError);
    },
  );
});

describe('CachingConfig.fromEnv()', () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedis({ requirepass: SECRET });
  });
  afterEach(() => vi.unstubAllEnvs());
  afterAll(() => server.close());

  async function start(module: Parameters<typeof Test.createTestingModule>[0]) {
    const logger = new CapturedLogger();
    const compiled = await Test.createTestingModule({ controllers: [ShopController], ...module })
      .setLogger(logger)
      .compile();
    const app = compiled.createNestApplication();
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as { port: number };
    const verdict = async () =>
      (await fetch(`http://127.0.0.1:${port}/shop`)).headers.get('x-cache') ?? undefined;
    return { app, verdict, logger };
  }

  const keys = (database: number) =>
    redisCommand(`${server.url}/${database}`, ['KEYS', '*']) as Promise<string[]>;

  it('makes an application that caches in the Redis of the variables, by parts and with a secret in a file', async () => {
    const file = join(folder, 'password');
    writeFileSync(file, `${SECRET}\n`);
    vi.stubEnv('CACHE_REDIS_HOST', '127.0.0.1');
    vi.stubEnv('CACHE_REDIS_PORT', String(server.port));
    vi.stubEnv('CACHE_REDIS_PASSWORD_FILE', file);
    vi.stubEnv('CACHE_REDIS_DB', '3');
    vi.stubEnv('CACHE_NAMESPACE', 'parts');
    vi.stubEnv('CACHE_STORE_TIMEOUT', '2s');
    const { app, verdict } = await start({
      imports: [CachingModule.forRootAsync(CachingConfig.fromEnv())],
    });
    await poll('a hit', async () => (await verdict()) === 'HIT' || undefined);
    const isView = (key: string) => key.startsWith('parts:view:');
    await poll('keys', async () => (await keys(3)).some(isView) || undefined);
    expect((await keys(0)).some(isView)).toBe(false);
    await app.close();
  });

  it('lets the URL win over the parts, which say what it does not', async () => {
    vi.stubEnv('CACHE_URL', `redis://127.0.0.1:${server.port}/4`);
    vi.stubEnv('CACHE_REDIS_HOST', 'nowhere.invalid');
    vi.stubEnv('CACHE_REDIS_DB', '5');
    vi.stubEnv('CACHE_REDIS_PASSWORD', SECRET);
    vi.stubEnv('CACHE_STORE_TIMEOUT', '2s');
    const { app, verdict } = await start({
      imports: [CachingModule.forRootAsync(CachingConfig.fromEnv())],
    });
    await poll('a hit', async () => (await verdict()) === 'HIT' || undefined);
    await poll('keys', async () => (await keys(4)).some((key) => key.startsWith('cache:view:')) || undefined);
    expect(await keys(5)).toEqual([]);
    await app.close();
  });

  it('logs no secret while Redis refuses it', async () => {
    vi.stubEnv('CACHE_URL', `redis://:${encodeURIComponent(`wrong ${SECRET}`)}@127.0.0.1:${server.port}`);
    vi.stubEnv('CACHE_STORE_TIMEOUT', '50');
    const { app, verdict, logger } = await start({
      imports: [CachingModule.forRootAsync(CachingConfig.fromEnv())],
    });
    await poll(
      'a log line',
      async () => {
        await verdict();
        return [...logger.errors, ...logger.warnings].length > 0 || undefined;
      },
      10_000,
    );
    expect([...logger.errors, ...logger.warnings].join('\n')).not.toMatch(/s3cr/);
    await app.close();
  });

  it('reads what ConfigModule has loaded from a .env file', async () => {
    const envFilePath = join(folder, '.env');
    writeFileSync(envFilePath, 'SHOPENV_NAMESPACE=fromfile\nSHOPENV_ALL=nonsense\n');
    const starting = start({
      imports: [
        ConfigModule.forRoot({ envFilePath }),
        CachingModule.forRootAsync(CachingConfig.fromEnv({ prefix: 'SHOPENV_' })),
      ],
    });
    await expect(starting).rejects.toThrow(/The environment: option "SHOPENV_ALL" is "nonsense"; allowed: /);
  });

  it('can be read through ConfigService', async () => {
    const { app, verdict } = await start({
      imports: [
        ConfigModule.forRoot({
          ignoreEnvFile: true,
          load: [() => ({ CACHE_URL: 'null:', CACHE_TTL: 5_000 })],
        }),
        CachingModule.forRootAsync({
          imports: [ConfigModule],
          inject: [ConfigService],
          useFactory: (config: ConfigService) => CachingConfig.read({ env: (name) => config.get(name) }),
        }),
      ],
    });
    expect([await verdict(), await verdict()]).toEqual(['MISS', 'MISS']);
    await app.close();
  });
});

describe('keyHash', () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.close());

  @Controller('letters')
  class LettersController {
    @Get(':letter') @CacheView() letter(@Param('letter') letter: string) {
      return letter;
    }
  }

  async function start(keyHash: string | ((key: string) => string), namespace: string) {
    return startOnRedis('express', server.url, {
      controllers: [LettersController],
      caching: { store: redis({ url: server.url }), storeTimeout: '2s', namespace, memory: false, keyHash },
    });
  }

  it.each([
    ['sha1', 27],
    ['SHA512', 86],
    [(key: string) => createHash('md5').update(key).digest('hex'), 32],
  ] as const)('is what Redis knows keys by: %s', async (keyHash, length) => {
    const namespace = `hash-${length}`;
    const running = await start(keyHash, namespace);
    await store(running, '/letters/a');
    expect((await running.request('/letters/a')).verdict).toBe('HIT');
    const names = (await redisCommand(server.url, ['KEYS', `${namespace}:view:*`])) as string[];
    expect(names.map((name) => name.slice(`${namespace}:view:`.length).length)).toEqual([length]);
    await running.close();
  });

  it('gives nobody an entry of a key that has the same hash', async () => {
    // All but the probes at start collide.
    const running = await start((key) => `constant-${key.length < 2 ? key : ''}`, 'collisions');
    await store(running, '/letters/a');
    const answers: string[] = [];
    for (const letter of ['b', 'a', 'c', 'a']) {
      const { verdict, body } = await running.request(`/letters/${letter}`);
      answers.push(`${body.toString()} ${letter === 'a' ? '' : verdict}`);
    }
    expect(answers).toEqual(['b MISS', 'a ', 'c MISS', 'a ']);
    await running.close();
  });

  it.each(['', 'rot13', 5, null, () => 'constant', () => '', (key: string) => key, () => 5])(
    'is refused by name where it can not be used: %s',
    (keyHash) => {
      expect(() => resolveOptions({ keyHash: keyHash as string })).toThrow(/"keyHash"/);
    },
  );
});
