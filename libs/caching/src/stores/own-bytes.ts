/**
 * A copy in memory of its own: a slice of Buffer's pool would keep 8 KB alive for each small value, and a part of what
 * came from a socket all of that.
 */
export function ownBytes(source: string | Buffer): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(source));
  if (typeof source === 'string') bytes.write(source);
  else source.copy(bytes);
  return bytes;
}
