import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { CacheView, jsonBody } from 'nestjs-caching';
import { HandlerRuns } from '../stats/handler-runs.js';
import { AnalysisDto } from './analysis.dto.js';
import { ModelClient, type TextStatistics } from './model-client.js';

@Controller('analysis')
export class AnalysisController {
  constructor(
    private readonly model: ModelClient,
    private readonly runs: HandlerRuns,
  ) {}

  /** The same text has the same statistics for ever; `bypass` says whether to look, so it is not in the key. */
  @Post()
  @HttpCode(200)
  @CacheView({
    ttl: '1d',
    scope: 'public',
    key: jsonBody({ ignore: ['bypass'] }),
    unless: ({ body }) => body?.bypass === true,
  })
  analyse(@Body() { text }: AnalysisDto): Promise<TextStatistics> {
    this.runs.count('POST /analysis');
    return this.model.statisticsOf(text);
  }
}
