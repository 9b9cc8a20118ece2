/** What a proxy does to the bytes between a client and a Redis. */
export type Fault =
  | { readonly kind: 'none' }
  | { readonly kind: 'hold' }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'cut'; readonly afterBytes: number }
  | { readonly kind: 'garbage' }
  | { readonly kind: 'answer'; readonly names: readonly string[] | 'all'; readonly error: string };
