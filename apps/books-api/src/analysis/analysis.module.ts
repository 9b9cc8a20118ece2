import { Module } from '@nestjs/common';
import { AnalysisController } from './analysis.controller.js';
import { ModelClient } from './model-client.js';
import { ModelService } from './model-service.js';

@Module({
  controllers: [AnalysisController],
  providers: [ModelClient, ModelService],
  exports: [ModelService],
})
export class AnalysisModule {}
