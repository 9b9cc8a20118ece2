import { type MiddlewareConsumer, Module, type NestModule } from '@nestjs/common';
import { ReadersController } from './readers.controller.js';
import { ReadersService } from './readers.service.js';
import { SessionMiddleware } from './session.middleware.js';

@Module({ controllers: [ReadersController], providers: [ReadersService], exports: [ReadersService] })
export class ReadersModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(SessionMiddleware).forRoutes('{*path}');
  }
}
