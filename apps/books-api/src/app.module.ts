import { type DynamicModule, Module } from '@nestjs/common';
import type { RedisStore } from 'cache-manager-redis-yet';
import { CachingModule, redis } from 'nestjs-caching';
import { AnalysisModule } from './analysis/analysis.module.js';
import { BooksModule } from './books/books.module.js';
import { DatabaseModule } from './database/database.module.js';
import { NoticeModule } from './notice/notice.module.js';
import { PagesModule } from './pages/pages.module.js';
import { ReadersModule } from './readers/readers.module.js';
import { REDIS_STORE, RedisModule } from './redis/redis.module.js';
import { SESSION_COOKIE } from './readers/session.middleware.js';
import { SETTINGS, type Settings } from './settings.js';
import { SettingsModule } from './settings.module.js';
import { StatsModule } from './stats/stats.module.js';

@Module({})
export class AppModule {
  static with(settings: Settings): DynamicModule {
    return {
      module: AppModule,
      imports: [
        SettingsModule.with(settings),
        CachingModule.forRootAsync({
          dashboard: settings.dashboard,
          toolbar: settings.dashboard,
          imports: [RedisModule],
          inject: [SETTINGS, REDIS_STORE],
          useFactory: ({ cache }: Settings, store: RedisStore | undefined) => ({
            ttl: '5m',
            enabled: cache,
            // Other cookies than this one say nothing about who asks, so they don't make a request bypass.
            credentialCookies: [SESSION_COOKIE],
            ...(store && { store: redis({ client: store }) }),
          }),
        }),
        StatsModule,
        DatabaseModule,
        ReadersModule,
        BooksModule,
        AnalysisModule,
        NoticeModule,
        PagesModule,
      ],
    };
  }
}
