import type { CachingModuleOptions } from '../caching.options.js';
import { Environment, type EnvironmentSource } from './environment.js';
import { optionsOf } from './environment-options.js';
import { storeOf } from './environment-store.js';
import type { StoreUrlOptions } from './store-from-url.js';
import { isSharedTier } from '../stores/shared-tier.js';

/** How the environment is read. */
export interface CachingEnvOptions extends StoreUrlOptions {
  /** What all variables begin with. Default `'CACHE_'`. */
  readonly prefix?: string;
  /** Where they are. Default `process.env`, as it is when the application starts. */
  readonly env?: EnvironmentSource;
  /** Options that no variable says, such as `key` or `scope`, and defaults: a variable wins over what is given here. */
  readonly options?: CachingModuleOptions;
}

/** Options from environment variables. docs/configuration.md lists them. */
export const CachingConfig = {
  /**
   * For `forRootAsync`: reads the variables when the application starts, so that a `.env` file which
   * `ConfigModule.forRoot()` of @nestjs/config has loaded counts.
   *
   * @throws CachingConfigError at start, naming the variable and showing no secret
   * @example
   * CachingModule.forRootAsync(CachingConfig.fromEnv())
   */
  fromEnv(options: CachingEnvOptions = {}): { readonly useFactory: () => CachingModuleOptions } {
    return { useFactory: () => CachingConfig.read(options) };
  },

  /**
   * The options themselves, to add to or to look at.
   *
   * @throws CachingConfigError naming the variable and showing no secret
   * @example
   * CachingModule.forRootAsync({
   *   inject: [ConfigService],
   *   useFactory: (config: ConfigService) => CachingConfig.read({ env: (name) => config.get(name) }),
   * })
   */
  read({
    prefix = 'CACHE_',
    env = process.env,
    options = {},
    ...stores
  }: CachingEnvOptions = {}): CachingModuleOptions {
    const environment = new Environment(env, prefix);
    const { memory, ...read } = optionsOf(environment);
    const named = storeOf(environment, stores);
    const store = named ?? options.store;
    // Bounds of memory are for the store in process and the tier in front of a shared one, which others don't have.
    const hasMemory = store === undefined || isSharedTier(store);
    const bounds = memory === undefined ? options.memory : { ...options.memory, ...memory };
    return {
      ...options,
      ...read,
      ...(store !== undefined && { store }),
      ...(hasMemory && bounds !== undefined && { memory: bounds }),
    };
  },
} as const;
