import { Controller, Get } from '@nestjs/common';
import { NoCache } from 'nestjs-caching';
import { HandlerRuns } from './handler-runs.js';

@Controller('stats')
export class StatsController {
  constructor(private readonly runs: HandlerRuns) {}

  /** Runs by handler since the start. */
  @Get()
  @NoCache()
  stats(): Record<string, number> {
    return this.runs.all();
  }
}
