import { type DynamicModule, Module } from '@nestjs/common';
import { CachingModule } from 'nestjs-caching';
import { AnalysisModule } from './analysis/analysis.module.js';
import { BooksModule } from './books/books.module.js';
import { DatabaseModule } from './database/database.module.js';
import { NoticeModule } from './notice/notice.module.js';
import { PagesModule } from './pages/pages.module.js';
import { ReadersModule } from './readers/readers.module.js';
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
          inject: [SETTINGS],
          useFactory: ({ cache }: Settings) => ({
            ttl: '5m',
            enabled: cache,
            // Other cookies than this one say nothing about who asks, so they don't make a request bypass.
            credentialCookies: [SESSION_COOKIE],
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
