import { Inject, Logger, Module, type OnApplicationShutdown } from '@nestjs/common';
import { redisInsStore, type RedisStore } from 'cache-manager-redis-yet';
import { createClient } from 'redis';
import { SETTINGS, type Settings } from '../settings.js';

/** A store of cache-manager-redis-yet on `REDIS_URL`; nothing without it. */
export const REDIS_STORE = Symbol('REDIS_STORE');

@Module({
  providers: [
    {
      provide: REDIS_STORE,
      inject: [SETTINGS],
      useFactory: ({ redisUrl }: Settings) => (redisUrl === undefined ? undefined : openStore(redisUrl)),
    },
  ],
  exports: [REDIS_STORE],
})
export class RedisModule implements OnApplicationShutdown {
  constructor(@Inject(REDIS_STORE) private readonly store: RedisStore | undefined) {}

  /** Not `quit()`, which waits for ever for a Redis that is gone or stopped. */
  async onApplicationShutdown(): Promise<void> {
    if (this.store?.client.isOpen) await this.store.client.disconnect();
  }
}

/**
 * `redisStore({ url })` would wait for Redis, fail where it is away, and let the process end when it dies later. A
 * client with an `error` listener that nobody waits for does neither.
 */
function openStore(url: string): RedisStore {
  const logger = new Logger('Redis');
  const client = createClient({ url });
  let isAway = false;
  client.on('error', (error: Error) => {
    // Each attempt to connect fails: one line for all of them.
    if (!isAway) logger.warn(`Redis is away: ${error.message || error.name}`);
    isAway = true;
  });
  client.on('ready', () => {
    if (isAway) logger.log('Redis is there again');
    isAway = false;
  });
  client.connect().catch((error: unknown) => logger.error(error));
  // `redis` adds modules to its clients that this type does not know of.
  return redisInsStore(client as unknown as Parameters<typeof redisInsStore>[0]);
}
