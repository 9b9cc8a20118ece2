import { type CanActivate, type ExecutionContext, Injectable, UnauthorizedException } from '@nestjs/common';
import { readerOf, type SessionRequest } from './session.js';

export interface ReaderPrincipal {
  name: string;
}

/** Runs before the cache, so on hits as well, and sets what the cache's `scope` reads. */
@Injectable()
export class LoggedInGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<SessionRequest & { user?: ReaderPrincipal }>();
    const name = readerOf(request);
    if (name === undefined) throw new UnauthorizedException('Log in first: POST /login');
    request.user = { name };
    return true;
  }
}
