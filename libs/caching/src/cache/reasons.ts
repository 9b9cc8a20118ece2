/** Why a request was neither read from nor written to the cache. */
export type BypassReason =
  /** Not the method that the route is cached for, e.g. HEAD on a GET route. */
  | 'method'
  /** A GET with a body. */
  | 'get-body'
  /** `If-Match` or `If-Unmodified-Since`: the handler may refuse this one client (412). */
  | 'precondition'
  /** The key does not cover what the handler reads; a warning at boot names the line to add. */
  | 'uncovered-inputs'
  /** The `unless` callback said so. */
  | 'unless'
  /** It runs in a block of code that bypasses the cache: `CacheRoutes.bypass()`. */
  | 'code'
  /** The request carries credentials and the route has no `scope`. */
  | 'credentials'
  /** The request carries credentials and the route's `scope` names no principal for it. */
  | 'no-principal'
  /** The body is not of the kind the key reads, or too large, too deep, or not plain data. */
  | 'body'
  /** The `Host` is not in the key's allow-list. */
  | 'host'
  /** The arguments of a memoized function are longer than a key may be. */
  | 'arguments'
  /** The fields that its responses vary on have more than 4,096 characters in this request. */
  | 'vary';

/** Why a response was not stored. */
export type SkipReason =
  | 'status'
  | 'set-cookie'
  | 'no-store'
  | 'private'
  /** The request had `Authorization`, and the response, which decides here, does not say that it may be shared. */
  | 'authorization'
  /** `Cache-Control: must-understand`, and what its status asks of caches is not known here. */
  | 'must-understand'
  /** `Cache-Control: no-cache`: to be asked about before each use. */
  | 'no-cache'
  /** Over when it came, by its `Cache-Control`, `Expires` or `Age`. */
  | 'stale'
  /** `Vary: *`, an invalid one, or one by which requests can't be told apart: too many names, too long values. */
  | 'vary'
  | 'partial'
  | 'not-modified'
  /** `Cache-Control: no-store` of the request, where the route honours it. */
  | 'request'
  /** `CacheContext.noStore()`. */
  | 'handler'
  /** More than 256 tags. */
  | 'tags'
  | 'filter'
  /** A memoized function failed, or a callback of its own. */
  | 'error'
  /** The result of a memoized function holds something that would not come back as it was. */
  | 'value'
  /** The arguments of a memoized function were changed while it waited or ran: the result is of others. */
  | 'arguments'
  | 'too-large'
  /** The body is not as long as its `Content-Length`. */
  | 'length-mismatch'
  /** Server-sent events, which have no end. */
  | 'event-stream'
  /** The body is content-coded by the handler, or has trailers: not the identity body that hits are made from. */
  | 'encoded'
  /** The client left, or the stream failed, before the end. */
  | 'aborted'
  /** Something that the response depends on was evicted while the handler ran. */
  | 'evicted';
