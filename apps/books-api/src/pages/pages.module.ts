import { Module } from '@nestjs/common';
import { BooksModule } from '../books/books.module.js';
import { ReadersModule } from '../readers/readers.module.js';
import { PageRenderer } from './page-renderer.js';
import { PagesController } from './pages.controller.js';

@Module({ imports: [BooksModule, ReadersModule], controllers: [PagesController], providers: [PageRenderer] })
export class PagesModule {}
