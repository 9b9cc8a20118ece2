import { pathsOf } from './path-params.js';
import type { RouteSite } from './route-site.js';
import { pathSegments } from './route-tags.js';

/** A segment of a template: its text as tags fold it, or any. */
type Segment = string | undefined;

const PARAM = /^:\w+$/;
const SPECIAL = /[:*{}()?+]/;

/**
 * Which paths cached routes may serve, so that writes to others need to evict nothing. By the ends of paths: prefixes
 * (global ones, versions, modules') stand in front of what decorators say. What it can't tell counts as served.
 */
export class CachedPaths {
  readonly #templates: (readonly Segment[])[] = [];
  #all = false;

  add({ controller, method }: RouteSite): void {
    const handler = (controller.prototype as Record<string, object>)[method] as object;
    for (const base of pathsOf(controller)) {
      for (const path of pathsOf(handler)) this.#add(`${base}/${path}`);
    }
  }

  /** Whether a cached route may have an entry of this path. */
  mayServe(path: string): boolean {
    if (this.#all) return true;
    if (this.#templates.length === 0) return false;
    const segments = pathSegments(path);
    return this.#templates.some((template) => {
      const from = segments.length - template.length;
      return from >= 0 && template.every((own, at) => own === undefined || own === segments[from + at]);
    });
  }

  #add(template: string): void {
    const parts = template.split('/').filter((part) => part !== '');
    if (parts.some((part) => !PARAM.test(part) && SPECIAL.test(part))) {
      // Wildcards, optional parts, patterns.
      this.#all = true;
      return;
    }
    this.#templates.push(parts.map((part) => (PARAM.test(part) ? undefined : pathSegments(part)[0])));
  }
}
