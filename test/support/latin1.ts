import * as fc from 'fast-check';

/** Any text that can be in a header field as node reads it: bytes. */
export function anyLatin1(): fc.Arbitrary<string> {
  return fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)) });
}
