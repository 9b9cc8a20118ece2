import { Inject, Injectable, type NestMiddleware } from '@nestjs/common';
import cookieSession from 'cookie-session';
import { SETTINGS, type Settings } from '../settings.js';

export const SESSION_COOKIE = 'books-session';

/** Signed cookie sessions. It works on node's own request and response, so the same on Express and Fastify. */
@Injectable()
export class SessionMiddleware implements NestMiddleware {
  readonly use: ReturnType<typeof cookieSession>;

  constructor(@Inject(SETTINGS) { sessionSecret }: Settings) {
    this.use = cookieSession({
      name: SESSION_COOKIE,
      keys: [sessionSecret],
      httpOnly: true,
      sameSite: 'lax',
      maxAge: 86_400_000,
    });
  }
}
