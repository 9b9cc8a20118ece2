import { isBypassing } from '../cache/bypass.js';
import type { MaybePromise } from '../cache/maybe-promise.js';
import { chain } from '../cache/maybe-promise.js';
import { CacheCallbackError, describe } from '../caching.errors.js';
import type { KeyBypass } from './key-strategy.js';
import type { RequestCallback, RequestView } from './request-view.js';
import type { ViewPolicy } from './route-policy.js';
import { askUser, callUser } from './user-callback.js';

/** A request that may use the cache, and for whom: `undefined` is everybody, or the anonymous principal. */
export interface Admitted {
  readonly principal: string | undefined;
}

const EVERYBODY: Admitted = { principal: undefined };

/** How the application knows who sent a request. */
export interface CredentialRules {
  readonly principal: RequestCallback<unknown> | undefined;
  readonly credentialCookies: '*' | readonly string[];
}

/** May this request use the cache at all, and whose response is it? */
export function admit(
  policy: ViewPolicy,
  request: RequestView,
  rules: CredentialRules,
): MaybePromise<Admitted | KeyBypass> {
  const { method } = request;
  if (isBypassing()) return { bypass: 'code' };
  if (method !== policy.method && !(method === 'HEAD' && policy.method === 'GET'))
    return { bypass: 'method' };
  if (policy.uncovered) return { bypass: 'uncovered-inputs' };
  if (policy.method === 'GET' && hasBody(request)) return { bypass: 'get-body' };
  if (hasPrecondition(request)) return { bypass: 'precondition' };
  const { unless } = policy;
  if (unless === undefined) return forWhom(policy, request, rules);
  return chain(
    askUser('unless', policy.route, () => unless(request)),
    (bypass) => (bypass ? { bypass: 'unless' as const } : forWhom(policy, request, rules)),
  );
}

function hasBody({ headers }: RequestView): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

/** RFC 9110 §13.1.1 and §13.1.4: conditions on the state of the resource, which only its handler knows. */
function hasPrecondition({ headers }: RequestView): boolean {
  return headers['if-match'] !== undefined || headers['if-unmodified-since'] !== undefined;
}

function forWhom(
  policy: ViewPolicy,
  request: RequestView,
  rules: CredentialRules,
): MaybePromise<Admitted | KeyBypass> {
  const { scope, route } = policy;
  if (scope === 'public') return EVERYBODY;
  if (scope === undefined) {
    return chain(carriesCredentials(request, rules, route), (carries) =>
      carries ? { bypass: 'credentials' as const } : EVERYBODY,
    );
  }
  return chain(pickPrincipal(policy, request), (principal) => {
    if (principal !== undefined) return { principal };
    // Nobody, says the scope; somebody, say the credentials. Sharing would be a guess.
    return chain(carriesCredentials(request, rules, route), (carries) =>
      carries ? { bypass: 'no-principal' as const } : EVERYBODY,
    );
  });
}

/** Who a request is for, as its route's `scope` says; `undefined` for everybody and for nobody in particular. */
export function pickPrincipal(
  { scope, route }: ViewPolicy,
  request: RequestView,
): MaybePromise<string | undefined> {
  if (typeof scope !== 'function') return undefined;
  return chain(
    callUser('scope', route, () => scope(request)),
    (principal) =>
      principal === undefined || principal === null ? undefined : principalId(principal, route),
  );
}

function principalId(principal: unknown, route: string): string {
  // By type: whether 7 and '7' are one user is not for a cache to say.
  if (typeof principal === 'string' && principal !== '') return `s${principal}`;
  if (typeof principal === 'bigint' || Number.isFinite(principal)) return `n${String(principal)}`;
  // An empty or meaningless id would put all users that have it into one scope.
  throw new CacheCallbackError(
    'scope',
    route,
    `returned ${describe(principal)}; allowed: a non-empty string, a number or a bigint, or undefined for nobody`,
  );
}

/** RFC 9111 §3.5 asks this of `Authorization`; cookies and what guards found identify people just as well. */
function carriesCredentials(
  request: RequestView,
  rules: CredentialRules,
  route: string,
): MaybePromise<boolean> {
  const { authorization, cookie } = request.headers;
  if (authorization !== undefined) return true;
  if (cookie !== undefined && isCredential(cookie, rules.credentialCookies)) return true;
  const { principal } = rules;
  if (principal === undefined) return isSomebody(request.user);
  return chain(
    callUser('principal', route, () => principal(request)),
    isSomebody,
  );
}

function isSomebody(user: unknown): boolean {
  // Passport leaves `false` where nobody is logged in.
  return user !== undefined && user !== null && user !== false;
}

function isCredential(cookie: string, names: '*' | readonly string[]): boolean {
  if (names === '*') return cookie !== '';
  return cookie.split(';').some((pair) => names.includes((pair.split('=')[0] ?? '').trim()));
}
