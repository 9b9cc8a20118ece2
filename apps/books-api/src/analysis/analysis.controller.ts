import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { CacheContext, CacheView, jsonBody, type RequestView } from 'nestjs-caching';
import { SETTINGS, type Settings } from '../settings.js';
import { HandlerRuns } from '../stats/handler-runs.js';
import { AnalysisDto } from './analysis.dto.js';
import { ModelClient, type TextStatistics } from './model-client.js';

@Controller('analysis')
export class AnalysisController {
  constructor(
    private readonly model: ModelClient,
    private readonly runs: HandlerRuns,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {}

  /**
   * The same text has the same statistics for ever; `bypass` says whether to look, so it is not in the key. Should the
   * model be away when their time is over, the old ones are better than an error, for a week.
   */
  @Post()
  @HttpCode(200)
  @CacheView({
    staleIfError: '7d',
    scope: 'public',
    key: jsonBody({ ignore: ['bypass'] }),
    unless: ({ body }: RequestView<{ body?: Partial<AnalysisDto> }>) => body?.bypass === true,
  })
  analyse(@Body() { text }: AnalysisDto, @CacheContext() cache: CacheContext): Promise<TextStatistics> {
    this.runs.count('POST /analysis');
    cache.ttl(this.settings.analysisTtlMs);
    return this.model.statisticsOf(text);
  }
}
