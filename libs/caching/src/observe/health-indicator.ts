import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { CacheHealth } from '../cache-health.js';

export interface CacheHealthOptions {
  /**
   * What a store that can't be reached is reported as. `'up'`: the application still answers, by running its handlers, so
   * a load balancer should not take it out. Default `'down'`.
   */
  readonly unreachable?: 'up' | 'down';
}

/**
 * A health indicator for `@nestjs/terminus`. Add it to the providers of the module that has the health controller.
 *
 * @example
 * @Get('health') @HealthCheck()
 * check() {
 *   return this.health.check([() => this.cache.isHealthy('cache', { unreachable: 'up' })]);
 * }
 */
@Injectable()
export class CacheHealthIndicator {
  constructor(
    private readonly health: CacheHealth,
    private readonly indicators: HealthIndicatorService,
  ) {}

  /** Within `storeTimeout`. The details tell the store, whether it is reachable, its latency and what memory holds. */
  async isHealthy<Key extends string = 'cache'>(
    key: Key = 'cache' as Key,
    { unreachable = 'down' }: CacheHealthOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    const report = await this.health.check();
    const session = this.indicators.check(key);
    return report.reachable || unreachable === 'up' ? session.up({ ...report }) : session.down({ ...report });
  }
}
