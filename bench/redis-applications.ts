import { CacheInterceptor, CacheModule } from '@nestjs/cache-manager';
import { type ModuleMetadata, UseInterceptors } from '@nestjs/common';
import { createKeyv } from '@keyv/redis';
import { KeyvAdapter } from 'cache-manager';
import { redisInsStore, redisStore } from 'cache-manager-redis-yet';
import { Keyv } from 'keyv';
import { createClient } from 'redis';
import type { RedisServerKind } from './rows.js';

// What the package asks for lacks the modules that `redis` adds to each client it makes: only the types differ.
type ClientOfStore = Parameters<typeof redisInsStore>[0];

export interface RedisApplication {
  readonly kind: RedisServerKind;
  /** Of a database that no other server uses. */
  readonly url: string;
  /** Module specifier of nestjs-caching. */
  readonly library: string;
  /** Milliseconds. */
  readonly ttl: number;
  readonly controllerWith: (decorate: MethodDecorator) => NonNullable<ModuleMetadata['controllers']>[number];
}

/**
 * A machine that stands still for a moment makes no hit a miss: a run with a miss is no measurement. It is a timer's
 * length and changes nothing else.
 */
const STORE_TIMEOUT = '2s';

/** Applications whose hits come from Redis, each as the documentation of its library sets it up. */
export async function redisMetadata(application: RedisApplication): Promise<ModuleMetadata> {
  const { kind, url } = application;
  switch (kind) {
    case 'interceptor-redis-5':
      return interceptor(application, createKeyv(url));
    case 'interceptor-redis-4':
      return interceptor(application, new Keyv({ store: new KeyvAdapter(await redisStore({ url })) }));
    case 'redis-memory':
      return caching(application, { url });
    case 'redis-5':
      return caching(application, { url }, false);
    case 'redis-4': {
      const client = createClient({ url });
      await client.connect();
      return caching(application, { client: redisInsStore(client as ClientOfStore) }, false);
    }
  }
}

function interceptor({ ttl, controllerWith }: RedisApplication, store: Keyv): ModuleMetadata {
  return {
    imports: [CacheModule.register({ ttl, stores: [store] })],
    controllers: [controllerWith(UseInterceptors(CacheInterceptor))],
  };
}

async function caching(
  { ttl, library, controllerWith }: RedisApplication,
  connection: Parameters<typeof import('nestjs-caching').redis>[0],
  memory?: false,
): Promise<ModuleMetadata> {
  const { CachingModule, CacheView, redis } = (await import(library)) as typeof import('nestjs-caching');
  return {
    imports: [
      CachingModule.forRoot({
        ttl,
        debugHeaders: false,
        storeTimeout: STORE_TIMEOUT,
        store: redis(connection),
        ...(memory === false && { memory }),
      }),
    ],
    controllers: [controllerWith(CacheView())],
  };
}
