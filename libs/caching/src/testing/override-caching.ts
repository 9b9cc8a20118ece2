import { CACHE_OVERRIDES, type CachingModuleOptions, type CachingOverrides } from '../caching.options.js';
import type { Clock } from '../cache/clock.js';

/** What is used of the builder that `Test.createTestingModule()` gives. */
export interface OverridableModule<Builder> {
  overrideProvider(token: unknown): { useValue(value: unknown): Builder };
}

/**
 * Puts other options in the place of the application's own, field by field, in a test of the whole application:
 * no caching at all, a store that keeps nothing, a clock that the test moves.
 *
 * @param builder what `Test.createTestingModule()` gave
 * @param overrides options of the module, and `clock`
 * @returns the builder
 * @example
 * const module = await overrideCaching(Test.createTestingModule({ imports: [AppModule] }), {
 *   enabled: false,
 * }).compile();
 */
export function overrideCaching<Builder extends OverridableModule<Builder>>(
  builder: Builder,
  { clock, ...options }: CachingModuleOptions & { readonly clock?: Clock },
): Builder {
  const overrides: CachingOverrides = { options, ...(clock !== undefined && { clock }) };
  return builder.overrideProvider(CACHE_OVERRIDES).useValue(overrides);
}
