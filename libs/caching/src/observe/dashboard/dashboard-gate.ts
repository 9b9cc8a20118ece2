import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Logger } from '@nestjs/common';
import { CacheCallbackError, describe } from '../../caching.errors.js';
import type { RequestCallback, RequestView } from '../../http/request-view.js';
import { hostOf } from '../../http/semantics/host.js';

/** Why a request is refused. */
export type Refusal = 'cross-site' | 'not-local' | 'unauthorized' | 'token';

/** What a request wants: to open the page, to read, or to change something. */
export type Wanted = 'page' | 'read' | 'change';

const LOCAL_ADDRESS = /^(?:127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/;
const LOCAL_HOST = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/i;
/** What proxies say of themselves, or of whom they ask for. */
const OF_PROXIES =
  /^(?:via|forwarded|x-forwarded(?:-.+)?|x-real-ip|true-client-ip|x-client-ip|cf-.+|x-envoy-.+)$/;

/** The header in which the page sends the token with all that changes something. */
export const TOKEN_HEADER = 'x-cache-dashboard-token';

/**
 * Who may pass: nobody from another site, and of the others those whom `authorize` lets in, or, without it, this
 * machine.
 */
export class DashboardGate {
  /** Known to pages of this process only: what a form or a script of another site can't send. */
  readonly token = randomBytes(24).toString('base64url');
  readonly #logger = new Logger('CachingModule');

  constructor(private readonly authorize: RequestCallback<boolean> | undefined) {}

  async refuse(wanted: Wanted, request: RequestView, node: IncomingMessage): Promise<Refusal | undefined> {
    if (isCrossSite(wanted, request)) return 'cross-site';
    const { authorize } = this;
    if (authorize === undefined) {
      if (!isLocal(request, node)) return 'not-local';
    } else if (!(await this.#ask(authorize, request))) return 'unauthorized';
    // Last, so that nobody learns more than that they may not.
    return wanted === 'change' && !this.#hasToken(request) ? 'token' : undefined;
  }

  async #ask(authorize: RequestCallback<boolean>, request: RequestView): Promise<boolean> {
    let answer: unknown;
    try {
      answer = await authorize(request);
    } catch (cause) {
      this.#logger.error(new CacheCallbackError('authorize', 'the dashboard', 'failed', { cause }));
      return false;
    }
    if (typeof answer === 'boolean') return answer;
    const problem = `returned ${describe(answer)}; allowed: true or false, at once or with a promise`;
    this.#logger.error(new CacheCallbackError('authorize', 'the dashboard', problem));
    return false;
  }

  #hasToken({ headers }: RequestView): boolean {
    const given = Buffer.from(String(headers[TOKEN_HEADER] ?? ''));
    const wanted = Buffer.from(this.token);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  }
}

/**
 * Browsers say where a request comes from (Fetch Metadata), or at least `Origin`. A link from elsewhere may open the
 * page, which holds no data.
 */
function isCrossSite(wanted: Wanted, { headers }: RequestView): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) {
    if (site === 'same-origin') return false;
    const isNavigation = headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
    return wanted !== 'page' || !isNavigation;
  }
  const { origin } = headers;
  if (origin === undefined) return wanted === 'change';
  return !isSameHost(origin, hostOf(headers));
}

function isSameHost(origin: string, host: string | undefined): boolean {
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}

/**
 * By address and by name: a name of an attacker's that leads to this machine is not this machine's (DNS rebinding). A
 * proxy on this machine has both; HTTP/1.0 is what nginx speaks to it unless it is told otherwise, and no browser does.
 */
function isLocal({ headers }: RequestView, { socket, httpVersion }: IncomingMessage): boolean {
  return (
    LOCAL_ADDRESS.test(socket.remoteAddress ?? '') &&
    LOCAL_HOST.test(hostOf(headers) ?? '') &&
    httpVersion !== '1.0' &&
    !Object.keys(headers).some((name) => OF_PROXIES.test(name))
  );
}
