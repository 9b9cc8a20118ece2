import { unescape } from 'node:querystring';

/** A `name=value` of a query, as it came. */
export interface QueryPair {
  readonly raw: string;
  /** The name of the value that a parser may put this pair into. */
  readonly base: string;
}

/** The pairs of a query text, in their order; empty ones, which no parser sees, are left out. */
export function queryPairs(text: string): QueryPair[] {
  return text
    .split('&')
    .filter((raw) => raw !== '')
    .map((raw) => ({ raw, base: baseName(decodeName(raw)) }));
}

/** The name of a raw pair, decoded once, as query parsers do it. */
export function decodeName(raw: string): string {
  const mark = raw.indexOf('=');
  const name = mark === -1 ? raw : raw.slice(0, mark);
  if (!/[%+]/.test(name)) return name;
  const spaced = name.replaceAll('+', ' ');
  try {
    return decodeURIComponent(spaced);
  } catch (error) {
    // As node:querystring decodes it: names that it makes one of have one name here as well.
    if (error instanceof URIError) return unescape(spaced);
    throw error;
  }
}

/**
 * Whether parsers differ in where the name of a pair ends: qs has it go on to the first `]=`, others to the first `=`.
 * So `utm=]=x` is a value of `utm` to some and a parameter of its own, `utm=]`, to others.
 */
export function isReadTwoWays(raw: string): boolean {
  const mark = raw.indexOf('=');
  return mark !== -1 && /(?:\]|%5d)=/i.test(raw.slice(mark + 1));
}

/** `a` of `a[b]`, `a[]`, `a.b` and `[a]`: parsers of nested queries make one value of all of them. */
export function baseName(name: string): string {
  return /[^[\].]+/.exec(name)?.[0] ?? name;
}
