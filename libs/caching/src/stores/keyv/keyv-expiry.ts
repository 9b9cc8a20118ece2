/** A text with the exact time at which it ends: what adapters make of that is theirs, and in seconds for some. */
export function encodeText(text: string, expiresAt: number): string {
  return `${Math.ceil(expiresAt).toString(36)}:${text}`;
}

/** Nothing where its time is over, or where it was not encoded here. */
export function decodeText(stored: string | undefined, now: number): string | undefined {
  const end = stored?.indexOf(':') ?? -1;
  if (stored === undefined || end < 1 || !/^[\da-z]+$/.test(stored.slice(0, end))) return undefined;
  return Number.parseInt(stored, 36) > now ? stored.slice(end + 1) : undefined;
}
