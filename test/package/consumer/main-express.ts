import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { AppModule, serve } from './app.js';

void NestFactory.create(AppModule, new ExpressAdapter(), { logger: ['error', 'warn'] }).then(serve);
