/** RFC 9110 §12.4.2: up to three digits behind the point, and at most 1. */
const WEIGHT = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i;
const VALUE = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/**
 * The values of an `Accept-…` field by lower-case name, in the order of the field, with their weights from 0 (refused)
 * to 1. A weight that is none counts as 0: what was said of a value can't be made out, so it is not sent. Of
 * duplicates the lowest counts.
 *
 * @example
 * parseWeighted('gzip, br;q=0.5, *;q=0') // gzip → 1, br → 0.5, * → 0
 */
export function parseWeighted(text: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  for (const member of text.split(',')) {
    const [value = '', weight, ...more] = member.split(';').map((part) => part.trim());
    const name = value.toLowerCase();
    if (!VALUE.test(name)) continue;
    const said = weight === undefined ? 1 : more.length > 0 ? 0 : Number(WEIGHT.exec(weight)?.[1] ?? 0);
    weights.set(name, Math.min(said, weights.get(name) ?? 1));
  }
  return weights;
}
