import { Global, Module } from '@nestjs/common';
import { HandlerRuns } from './handler-runs.js';
import { StatsController } from './stats.controller.js';

@Global()
@Module({ controllers: [StatsController], providers: [HandlerRuns], exports: [HandlerRuns] })
export class StatsModule {}
