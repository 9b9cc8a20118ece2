import { CachingConfigError } from '../../caching.errors.js';
import type { DashboardOptions } from '../../caching.options.js';
import type { RequestCallback } from '../../http/request-view.js';
import { checkNames } from '../../check-names.js';

export interface ResolvedDashboard {
  /** Without slashes at its ends. */
  readonly path: string;
  readonly authorize: RequestCallback<boolean> | undefined;
  readonly decorators: readonly ClassDecorator[];
}

const PATH = /^\/?[\w.~-]+(?:\/[\w.~-]+)*\/?$/;

/**
 * What was asked for; nothing where that is no dashboard.
 *
 * @throws CachingConfigError naming the field, and in production where nothing says who may see it
 */
export function resolveDashboard(
  given: boolean | DashboardOptions | undefined,
  isProduction: boolean,
): ResolvedDashboard | undefined {
  if (given === undefined || given === false) return undefined;
  const options = given === true ? {} : given;
  if (typeof options !== 'object' || options === null)
    throw new CachingConfigError(
      'dashboard',
      given,
      'true, false, or an object with path, authorize, decorators',
    );
  checkNames(options, { path: true, authorize: true, decorators: true }, 'CachingModule', 'dashboard.');
  const { path = '/_cache', authorize, decorators = [] } = options;
  if (typeof path !== 'string' || !PATH.test(path))
    throw new CachingConfigError('dashboard.path', path, "a path of plain segments such as '/_cache'");
  if (authorize !== undefined && typeof authorize !== 'function')
    throw new CachingConfigError('dashboard.authorize', authorize, 'a function of the request');
  if (!Array.isArray(decorators) || !decorators.every((each) => typeof each === 'function'))
    throw new CachingConfigError('dashboard.decorators', decorators, 'a list of class decorators');
  if (isProduction && authorize === undefined)
    throw new CachingConfigError(
      'dashboard.authorize',
      undefined,
      'a function of the request, in production',
    );
  return { path: path.replace(/^\/|\/$/g, ''), authorize, decorators };
}

/** @throws CachingConfigError where the toolbar can't be */
export function resolveToolbar(
  given: boolean | undefined,
  dashboard: ResolvedDashboard | undefined,
  isProduction: boolean,
): boolean {
  if (given !== undefined && typeof given !== 'boolean')
    throw new CachingConfigError('toolbar', given, 'true or false');
  if (!given) return false;
  if (isProduction) throw new CachingConfigError('toolbar', given, 'false in production');
  if (dashboard === undefined)
    throw new CachingConfigError(
      'toolbar',
      given,
      'true beside dashboard: true, where it takes its script from',
    );
  return true;
}
