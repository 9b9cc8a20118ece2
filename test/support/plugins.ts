import { randomUUID } from 'node:crypto';
import fastifyCompress from '@fastify/compress';
import fastifyCookie from '@fastify/cookie';
import fastifyEtag from '@fastify/etag';
import fastifyHelmet from '@fastify/helmet';
import fastifySession from '@fastify/session';
import type { INestApplication } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import compression from 'compression';
import cookieParser from 'cookie-parser';
import type { NextFunction, Request, Response } from 'express';
import session from 'express-session';
import type { FastifyInstance } from 'fastify';
import helmet from 'helmet';
import type { Platform } from './application.js';

/** The usual middleware of each platform, under one name. */
export type Installer = (platform: Platform, app: INestApplication) => void | Promise<void>;

export function fastifyOf(app: INestApplication): FastifyInstance {
  return (app as unknown as NestFastifyApplication).getHttpAdapter().getInstance();
}

async function register(app: INestApplication, plugin: unknown, options?: object): Promise<void> {
  await (app as unknown as NestFastifyApplication).register(plugin as never, options as never);
}

export const useHelmet: Installer = (platform, app) =>
  platform === 'express' ? void app.use(helmet()) : register(app, fastifyHelmet);

export const useCompression: Installer = (platform, app) =>
  platform === 'express'
    ? void app.use(compression({ threshold: 0 }))
    : register(app, fastifyCompress, { threshold: 0, global: true, encodings: ['gzip'] });

/** Express makes an ETag by itself. */
export const useEtag: Installer = (platform, app) =>
  platform === 'express' ? undefined : register(app, fastifyEtag);

export const useCookies: Installer = (platform, app) =>
  platform === 'express' ? void app.use(cookieParser()) : register(app, fastifyCookie);

const SECRET = 'a secret of at least thirty-two characters';

export function useSession(saveUninitialized: boolean): Installer {
  return async (platform, app) => {
    if (platform === 'express') {
      app.use(session({ secret: SECRET, resave: false, saveUninitialized }));
      return;
    }
    await register(app, fastifyCookie);
    await register(app, fastifySession, { secret: SECRET, saveUninitialized, cookie: { secure: false } });
  };
}

/** Gives each request an id, as middleware on Express and as an `onSend` hook on Fastify. */
export const useRequestIds: Installer = (platform, app) => {
  if (platform === 'express') {
    app.use((_request: Request, response: Response, next: NextFunction) => {
      response.setHeader('X-Request-Id', randomUUID());
      next();
    });
    return;
  }
  fastifyOf(app).addHook('onSend', (_request, reply, _payload, done) => {
    void reply.header('X-Request-Id', randomUUID());
    done();
  });
};
