import { Module } from '@nestjs/common';
import { BooksController } from './books.controller.js';
import { BooksService } from './books.service.js';
import { LanguagesController } from './languages.controller.js';
import { StatisticsController } from './statistics.controller.js';
import { StatisticsService } from './statistics.service.js';

@Module({
  controllers: [BooksController, LanguagesController, StatisticsController],
  providers: [BooksService, StatisticsService],
  exports: [BooksService],
})
export class BooksModule {}
