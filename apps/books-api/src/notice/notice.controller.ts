import { CACHE_MANAGER, type Cache } from '@nestjs/cache-manager';
import { Body, Controller, Get, HttpCode, Inject, Put } from '@nestjs/common';
import { NoticeDto } from './notice.dto.js';

const KEY = 'notice';
const ONE_DAY = 86_400_000;

/** A plain value kept for a day through CACHE_MANAGER, on the same store as the views and apart from them. */
@Controller('notice')
export class NoticeController {
  constructor(@Inject(CACHE_MANAGER) private readonly cache: Cache) {}

  @Get()
  async read(): Promise<{ text: string | null }> {
    return { text: (await this.cache.get<string>(KEY)) ?? null };
  }

  @Put()
  @HttpCode(204)
  async write(@Body() { text }: NoticeDto): Promise<void> {
    await this.cache.set(KEY, text, ONE_DAY);
  }
}
