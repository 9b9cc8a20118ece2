/**
 * The parts in one piece. V8 keeps a text that was added up as a tree of its parts: that takes twice the room in
 * each stored entry, and a look-up among a million reads memory in twice as many places.
 */
export function flatText(...parts: readonly string[]): string {
  return parts.join('');
}
