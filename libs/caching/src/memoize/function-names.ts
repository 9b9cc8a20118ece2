import { CachingConfigError } from '../caching.errors.js';
import { flatText } from '../http/flat-text.js';
import { component } from '../http/key-strategy.js';
import { bounded } from '../http/route-tags.js';
import type { MemoizeDefinition } from './definition.js';

/** What tells a function, on the first of the classes that it is called through, from all others. */
export function identityOf(
  { kind, method, options: { name } }: MemoizeDefinition,
  classes: readonly string[],
): string {
  const [own = ''] = classes;
  const declaring = classes.at(-1) ?? '';
  return (
    component(kind) +
    (name === undefined ? component(declaring) + component(method) : component('') + component(name)) +
    component(declaring === own ? '' : own)
  );
}

/** All calls of one function on one class. */
export function methodTag({ kind, method, options }: MemoizeDefinition, className: string): string {
  const name =
    options.name === undefined
      ? component(className) + component(method)
      : `=${component(options.name)}${component(className)}`;
  return bounded(flatText('m:', kind, ':', name));
}

/** One call, on any instance of a class. */
export function callTag(method: string, args: string): string {
  return bounded(flatText(method, '?', args));
}

/** Names of the classes that a method is called through, the instance's own first. */
export function classesOf({ kind, owner, label }: MemoizeDefinition, on: object): string[] {
  if (kind === 'function') return [''];
  const names: string[] = [];
  for (let at: unknown = on; typeof at === 'function'; at = Object.getPrototypeOf(at) as unknown) {
    if (at.name === '')
      throw new CachingConfigError('name', undefined, 'a class with a name', `@Memoize of ${label}`);
    names.push(at.name);
    if (at === owner) return names;
  }
  return names;
}
