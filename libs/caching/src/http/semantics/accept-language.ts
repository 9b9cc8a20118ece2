import { parseWeighted } from './weighted-list.js';

/**
 * `Accept-Language` as a part of a key (RFC 9111 §4.1): those of a route's languages that a client accepts, in the
 * order in which it likes them. A client that names others only, or none, is told apart from nobody who does the same:
 * the handler can't answer them differently.
 *
 * A declared `de` answers for `de-CH` and for `de` alike (RFC 4647 §3.4, lookup), a declared `de-CH` also for a plain
 * `de` (§3.3.1, filtering); an asterisk is for all that nothing else matches.
 *
 * @param declared language tags that the handler answers in
 * @example
 * normaliseLanguages('fr;q=0.5, de-CH, *;q=0', ['de', 'en', 'fr']) // 'de,fr'
 */
export function normaliseLanguages(header: string, declared: readonly string[]): string {
  const ranges = [...parseWeighted(header)];
  const liked: { readonly language: string; readonly weight: number; readonly at: number }[] = [];
  for (const declaredTag of declared) {
    const language = declaredTag.toLowerCase();
    const at = bestRange(ranges, language);
    const weight = ranges[at]?.[1] ?? 0;
    if (weight > 0) liked.push({ language, weight, at });
  }
  // What is liked the same stays in the client's order: handlers take the first.
  return liked
    .sort((a, b) => b.weight - a.weight || a.at - b.at)
    .map(({ language }) => language)
    .join(',');
}

/** Position of the range that matches a language most closely; -1 where none does. */
function bestRange(ranges: readonly (readonly [range: string, weight: number])[], language: string): number {
  let best = -1;
  let closest = 0;
  ranges.forEach(([range], at) => {
    const found = closeness(range, language);
    if (found <= closest) return;
    best = at;
    closest = found;
  });
  return best;
}

function closeness(range: string, language: string): number {
  if (range === language) return 4;
  if (language.startsWith(`${range}-`)) return 3;
  if (range.startsWith(`${language}-`)) return 2;
  return range === '*' ? 1 : 0;
}
