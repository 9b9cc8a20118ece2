import type { BypassReason } from '../cache/reasons.js';

/** Says once per route that credentials keep it out of the cache, as a cookie nobody thinks of often does. */
export class BypassWarnings {
  readonly #warned = new Set<string>();

  constructor(private readonly warn: (message: string) => void) {}

  note(route: string, reason: BypassReason): void {
    if ((reason !== 'credentials' && reason !== 'no-principal') || this.#warned.has(route)) return;
    this.#warned.add(route);
    this.warn(
      reason === 'credentials'
        ? `${route}: a request with credentials (Authorization, a cookie, or a user) bypassed the cache, as the route ` +
            `does not say whose its response is. Add scope to its @CacheView ('public', or a function that returns the ` +
            `user's id), or name the cookies that identify somebody in CachingModule.forRoot({ credentialCookies: ['…'] }).`
        : `${route}: a request with credentials bypassed the cache, as the route's scope named nobody for it. Return ` +
            `an id for everybody who may be logged in, or name the cookies that identify somebody in ` +
            `CachingModule.forRoot({ credentialCookies: ['…'] }).`,
    );
  }
}
