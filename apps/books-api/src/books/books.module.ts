import { Module } from '@nestjs/common';
import { BooksController } from './books.controller.js';
import { BooksService } from './books.service.js';
import { LanguagesController } from './languages.controller.js';

@Module({
  controllers: [BooksController, LanguagesController],
  providers: [BooksService],
  exports: [BooksService],
})
export class BooksModule {}
