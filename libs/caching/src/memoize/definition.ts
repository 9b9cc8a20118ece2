import type { MemoizeOptions } from './memoize-options.js';

/** A function that is memoized, as it was declared. */
export interface MemoizeDefinition {
  readonly kind: 'method' | 'static' | 'function';
  /** The class that declares it; of a function, the function. */
  readonly owner: object;
  /** Its own name. */
  readonly method: string;
  /** For messages, before it is known on which class it is called. */
  readonly label: string;
  readonly options: MemoizeOptions;
  readonly run: (...args: unknown[]) => unknown;
  /** A missing last argument and an `undefined` one can't be told apart by it. */
  readonly trimsArguments: boolean;
  /** How it was called last: most are called on one class, in one application. */
  last: { readonly memoizer: unknown; readonly on: object; readonly plan: object } | undefined;
}

const definitions = new WeakMap<object, MemoizeDefinition>();
/** By the prototypes, and classes, that declare them. */
const declared = new WeakMap<object, MemoizeDefinition[]>();

/** Registers what a caller holds for what it stands for. */
export function define(wrapper: object, target: object, definition: MemoizeDefinition): void {
  definitions.set(wrapper, definition);
  const own = declared.get(target);
  if (own === undefined) declared.set(target, [definition]);
  else own.push(definition);
}

/** What a function is memoized as; `undefined` for one that is not. */
export function definitionOf(wrapper: unknown): MemoizeDefinition | undefined {
  return typeof wrapper === 'function' ? definitions.get(wrapper) : undefined;
}

/** The memoized methods of a prototype and of what it inherits from. Reads no member of it. */
export function definitionsIn(prototype: unknown): MemoizeDefinition[] {
  const found: MemoizeDefinition[] = [];
  for (let at = prototype; typeof at === 'object' && at !== null; at = Object.getPrototypeOf(at) as unknown)
    found.push(...(declared.get(at) ?? []));
  return found;
}

/** What is memoized under the name of a class' method, static or not; without a name, the function itself. */
export function memoizedFunctions(target: unknown, method: string | undefined): MemoizeDefinition[] {
  if (typeof target !== 'function') return [];
  if (method === undefined) return [definitionOf(target)].filter((found) => found !== undefined);
  const { prototype } = target as { prototype?: Record<string, unknown> };
  const members = [prototype?.[method], (target as unknown as Record<string, unknown>)[method]];
  return members.map(definitionOf).filter((found) => found !== undefined);
}

/**
 * Whether the text of a function shows that it can't tell how many arguments it was given. Where it can't be seen, it
 * may: then calls that differ in that only are stored apart.
 */
export function countsNoArguments(run: object): boolean {
  const text = Function.prototype.toString.call(run);
  return !/\.\.\.|\barguments\b|\[native code\]/.test(text);
}
