import { CachingConfigError } from '../../caching.errors.js';
import { kindOf } from '../kind-of.js';

const ALLOWED = "'redis://[user:password@]host[:port][/database]', or with rediss: for TLS";

/** @throws CachingConfigError, which shows no credentials */
export function checkUrl(url: unknown): void {
  if (typeof url !== 'string') throw new CachingConfigError('url', kindOf(url), ALLOWED, 'redis()');
  if (!URL.canParse(url)) throw new CachingConfigError('url', '(not a URL)', ALLOWED, 'redis()');
  const parsed = new URL(url);
  if (!isUsable(parsed)) throw new CachingConfigError('url', withoutCredentials(parsed), ALLOWED, 'redis()');
}

function isUsable({ protocol, hostname, username, password, pathname }: URL): boolean {
  if (protocol !== 'redis:' && protocol !== 'rediss:') return false;
  if (hostname === '' || !/^\/?\d{0,5}$/.test(pathname)) return false;
  try {
    decodeURIComponent(username + password);
    return true;
  } catch (error) {
    if (error instanceof URIError) return false;
    throw error;
  }
}

/** What stands before the colon of another kind of URL may be a user, and so may what is no host. */
function withoutCredentials({ protocol, host, pathname }: URL): string {
  if (protocol !== 'redis:' && protocol !== 'rediss:') return '(another kind of URL)';
  if (host === '' || pathname.includes('@')) return `${protocol}…`;
  return `${protocol}//…${host}${pathname}`;
}
