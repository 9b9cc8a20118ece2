import { type INestApplication, ValidationPipe } from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { AppModule } from './app.module.js';
import { serveOpenApi } from './openapi.js';
import type { Platform, Settings } from './settings.js';

export async function createApp(settings: Settings): Promise<INestApplication> {
  const app = await NestFactory.create(AppModule.with(settings), adapterFor(settings.platform), {
    logger: ['log', 'warn', 'error', 'fatal'],
  });
  return configure(app);
}

export function adapterFor(platform: Platform): AbstractHttpAdapter {
  return platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
}

/** What a running application and one under test have in common beyond its modules. */
export function configure(app: INestApplication): INestApplication {
  app.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true }));
  app.enableShutdownHooks();
  serveOpenApi(app);
  return app;
}
