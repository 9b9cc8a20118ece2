import { Controller, Delete, Get, HttpCode, Param } from '@nestjs/common';
import { CacheEvictionService } from 'nestjs-caching';
import { StatisticsService } from './statistics.service.js';

/** Not cached itself: what it answers with is made of what a memoized method gives. */
@Controller('statistics')
export class StatisticsController {
  constructor(
    private readonly statistics: StatisticsService,
    private readonly eviction: CacheEvictionService,
  ) {}

  @Get(':language')
  async one(@Param('language') language: string) {
    const { byCentury, computedAt, ...rest } = await this.statistics.of(language);
    return {
      language,
      ...rest,
      byCentury: Object.fromEntries(byCentury),
      computedAt: computedAt.toISOString(),
    };
  }

  /** Of one language. */
  @Delete(':language')
  @HttpCode(204)
  async forget(@Param('language') language: string): Promise<void> {
    await this.eviction.byMemoized(StatisticsService, 'of', [language]);
  }

  /** Of all. */
  @Delete()
  @HttpCode(204)
  async forgetAll(): Promise<void> {
    await this.eviction.byMemoized(StatisticsService, 'of');
  }
}
