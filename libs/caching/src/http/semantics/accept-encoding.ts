import { parseWeighted } from './weighted-list.js';

/** Content codings that node can make. */
export type ContentCoding = 'br' | 'gzip' | 'zstd';

/** RFC 9110 §8.4.1.3: another name for the same coding. */
const ALIASES: readonly (readonly [alias: string, name: string])[] = [['x-gzip', 'gzip']];

/**
 * The coding to send to a client (RFC 9110 §12.5.3): the one it likes best among those that there are, and of those it
 * likes the same, the server's first choice. `identity` where it has said nothing. Never one that it refuses; where it
 * refuses everything, `identity`, because a body is of more use than a 406 (§12.1 lets a server disregard the field).
 *
 * @param header `Accept-Encoding` of the request; `undefined` where there is none, which is not an empty one
 * @param offered codings of which there is a variant, the server's first choice first
 */
export function negotiateCoding(
  header: string | undefined,
  offered: readonly ContentCoding[],
): ContentCoding | 'identity' {
  // §12.5.3: without the field any coding will do, and the plain one does for everybody.
  if (header === undefined) return 'identity';
  const weights = codingWeights(header);
  let best: ContentCoding | undefined;
  let highest = 0;
  for (const coding of offered) {
    // §12.5.3: an asterisk is for codings that are not listed; one that neither lists is refused.
    const weight = weights.get(coding) ?? weights.get('*') ?? 0;
    if (weight <= highest) continue;
    best = coding;
    highest = weight;
  }
  if (best === undefined) return 'identity';
  // §12.5.3: identity is always acceptable unless refused; where nothing lists it, all that is listed is liked better.
  return (weights.get('identity') ?? weights.get('*') ?? 0) > highest ? 'identity' : best;
}

/** Whether a client refuses a body without any content coding (RFC 9110 §12.5.3): `identity;q=0` or `*;q=0`. */
export function refusesIdentity(header: string | undefined): boolean {
  if (header === undefined) return false;
  const weights = codingWeights(header);
  return (weights.get('identity') ?? weights.get('*')) === 0;
}

/** Codings with a meaning to servers, by which requests may be told apart. */
const KNOWN = ['br', 'compress', 'deflate', 'gzip', 'identity', 'zstd'] as const;

/**
 * `Accept-Encoding` as a part of a key (RFC 9111 §4.1): the known codings that a client accepts, those it likes better
 * first, those it likes the same in one group. Their order, their spelling and unknown codings make no difference.
 *
 * @example
 * normaliseEncodings('gzip, deflate, br') // 'br=deflate=gzip>identity'
 */
export function normaliseEncodings(header: string): string {
  const weights = codingWeights(header);
  const groups = new Map<number, string[]>();
  for (const coding of KNOWN) {
    // Unlisted, identity is accepted, and liked least.
    const unlisted = coding === 'identity' ? Number.EPSILON : 0;
    const weight = weights.get(coding) ?? weights.get('*') ?? unlisted;
    if (weight > 0) groups.set(weight, [...(groups.get(weight) ?? []), coding]);
  }
  return [...groups]
    .sort(([a], [b]) => b - a)
    .map(([, codings]) => codings.join('='))
    .join('>');
}

function codingWeights(header: string): ReadonlyMap<string, number> {
  const weights = new Map(parseWeighted(header));
  for (const [alias, name] of ALIASES) {
    const weight = weights.get(alias);
    // Refused under either name is refused.
    if (weight !== undefined) weights.set(name, Math.min(weight, weights.get(name) ?? weight));
  }
  return weights;
}
