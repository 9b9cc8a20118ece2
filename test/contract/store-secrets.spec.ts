import type { Keyv } from 'keyv';
import { CacheHealth } from 'nestjs-caching';
import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../libs/caching/src/cache/clock.js';
import { CachingConfig } from '../../libs/caching/src/config/caching-config.js';
import { storeFromUrl } from '../../libs/caching/src/config/store-from-url.js';
import { CachingConfigError } from '../../libs/caching/src/caching.errors.js';
import { resolveOptions } from '../../libs/caching/src/resolve-options.js';
import { keyv } from '../../libs/caching/src/stores/keyv/keyv.store.js';
import { createRedisLink } from '../../libs/caching/src/stores/redis/create-redis-link.js';
import { redis } from '../../libs/caching/src/stores/redis/redis.store.js';
import { PLATFORMS, startApplication } from '../support/application.js';
import { ThingsController } from '../support/dashboard/dashboard-app.js';
import { poll } from '../support/redis/poll.js';
import { startRedis } from '../support/redis/redis-server.js';

const PASSWORD = 's3cret';
const URL_OF_REDIS = `redis://app:${PASSWORD}@db`;

const link = (connection: unknown) =>
  createRedisLink(connection as never, { clock: systemClock, timeout: 100, onError: () => undefined });

const read = (env: Record<string, string>) => CachingConfig.read({ prefix: '', env });

/** What users get wrong with a password at hand. */
const MISTAKES: readonly (readonly [string, () => unknown])[] = [
  ['redis(url)', () => redis(URL_OF_REDIS as never)],
  ['redis() with a url and a client', () => link({ url: URL_OF_REDIS, client: { password: PASSWORD } })],
  ['redis({ client: url })', () => link({ client: URL_OF_REDIS })],
  ['redis({ client: options })', () => link({ client: { password: PASSWORD } })],
  ['redis({ url: [url] })', () => link({ url: [URL_OF_REDIS] })],
  ['redis({ url }) without its //', () => link({ url: `redis:app:${PASSWORD}@db` })],
  ['redis({ url }) with a slash in a password', () => link({ url: `redis://app:6379/${PASSWORD}@db` })],
  ['redis({ url }) of another kind', () => link({ url: `http://app:${PASSWORD}@db` })],
  ['keyv(url)', () => keyv(`postgres://app:${PASSWORD}@db` as unknown as Keyv)],
  ['keyv(options)', () => keyv({ uri: `postgres://app:${PASSWORD}@db` } as unknown as Keyv)],
  ['store: url', () => resolveOptions({ store: URL_OF_REDIS as never })],
  ['another option', () => resolveOptions({ ttl: URL_OF_REDIS as never })],
  ['storeFromUrl() of another kind', () => storeFromUrl(`postgres://app:${PASSWORD}@db`)],
  ['storeFromUrl() of a file on a server', () => storeFromUrl(`sqlite://app:${PASSWORD}@db/file`)],
  ['storeFromUrl() of a file with a query', () => storeFromUrl(`sqlite:file?key=${PASSWORD}`)],
  [
    'a variable of a file that is the secret',
    () => read({ REDIS_HOST: 'db', REDIS_PASSWORD_FILE: PASSWORD }),
  ],
  ['a host with credentials', () => read({ REDIS_HOST: `app:${PASSWORD}@db` })],
  ['a namespace that is a URL', () => read({ NAMESPACE: URL_OF_REDIS })],
  ['a time that is a URL', () => read({ TTL: URL_OF_REDIS })],
  ['a database beside a password', () => read({ REDIS_HOST: 'db', REDIS_PASSWORD: PASSWORD, REDIS_DB: 'x' })],
];

describe('a store that is given wrongly', () => {
  it.each(MISTAKES)('is refused without showing a password: %s', (_what, make) => {
    let error: unknown;
    try {
      make();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(CachingConfigError);
    const { message, given } = error as CachingConfigError;
    expect([message, inspect(error), inspect(given, { depth: 5 })].join('\n')).not.toContain(PASSWORD);
  });
});

describe.each(PLATFORMS)('a Redis that does not take the password, on %s', (platform) => {
  it('is told of in events, logs, health and the dashboard without it', async () => {
    const server = await startRedis({ requirepass: 'another' });
    onTestFinished(() => server.close());
    const { host } = new URL(server.url);
    const running = await startApplication(platform, {
      caching: { store: redis({ url: `redis://app:${PASSWORD}@${host}` }), dashboard: true },
      controllers: [ThingsController],
      realTime: true,
    });
    onTestFinished(() => running.close());
    const told: string[] = [];
    running.app.useLogger({ ...console, log: () => undefined, error: note(told), warn: note(told) });
    await poll('an error of the store', async () => {
      await running.request('/things');
      return running.events.some(({ type }) => type === 'storeError') || undefined;
    });
    const own = { host: `127.0.0.1:${running.port}`, 'sec-fetch-site': 'same-origin' };
    for (const path of ['facts', 'entries', 'evictions'])
      told.push((await running.request(`/_cache/api/${path}`, { headers: own })).text);
    told.push(inspect(running.events, { depth: 12, showHidden: true }), JSON.stringify(running.events));
    told.push(
      inspect(await running.app.get(CacheHealth).check()),
      ...running.logger.warnings,
      ...running.logger.errors,
    );
    expect(told.join('\n')).toContain('WRONGPASS');
    expect(told.join('\n')).not.toContain(PASSWORD);
  });
});

/** Whole, as a logger that looks into errors prints them. */
function note(told: string[]) {
  return (...given: unknown[]): void => void told.push(inspect(given, { depth: 12, showHidden: true }));
}
