import { Observable, tap } from 'rxjs';
import type { FillSpan } from '../observe/tracing.js';
import type { Fill } from '../cache/fill.js';
import { withFill } from '../cache-context.js';
import type { Forwarded } from './cache-headers.js';
import type { Exchange } from './delivery.js';
import type { ViewPolicy } from './route-policy.js';
import { limitTags } from './route-tags.js';
import { orStale } from './stale/or-stale.js';
import { type AskedFor, type Rescue, ViewRecording } from './view-recording.js';

/**
 * Runs the handler for a fill; what the framework sends of it is recorded.
 *
 * @param fwd why it runs
 * @param rescue what its client is sent should it fail
 */
export function runHandler(
  policy: ViewPolicy,
  exchange: Exchange,
  fill: Fill,
  fwd: Forwarded,
  rescue?: Rescue,
): Observable<unknown> {
  const { platform, request, response, handle, trace } = exchange;
  limitTags(fill);
  fill.trace = trace;
  fill.handlerStarts();
  // RFC 9111 §3.5: `scope: 'public'` is the author's word that it may be shared, unless the response decides all.
  const isAuthorized =
    policy.freshness.mode === 'response' &&
    policy.scope === 'public' &&
    request.headers.authorization !== undefined;
  const { learned } = policy;
  const { view } = fill;
  const asked: AskedFor = {
    fwd,
    isAuthorized,
    rescue,
    variantBy: (names) => learned.variantOf(view, names, request.headers),
    onVariant: ({ vary }) => learned.learn(view, vary),
  };
  const recording = platform.record(request.raw, response, {
    rawHandler: policy.rawHandler,
    recording: (before) => new ViewRecording(policy, fill, asked, before),
  });
  const span = trace?.fillStarts();
  const handled = (): Observable<unknown> => withFill(request.raw, fill, handle);
  const answer = (span === undefined ? handled() : within(span, handled)).pipe(
    tap({
      // Nest tears an Observable down when its client leaves: then there will be no response.
      unsubscribe: () => recording.fail(),
      // A handler that had begun to write by itself: Nest ends what it wrote as if it were complete.
      error: () => {
        if (recording.opened && !recording.closed) recording.cut();
      },
    }),
  );
  return rescue === undefined ? answer : orStale(policy, exchange, answer, recording, rescue);
}

/** Subscribed to in there: that is when a handler runs. */
function within(span: FillSpan, handled: () => Observable<unknown>): Observable<unknown> {
  return new Observable((subscriber) => span.run(() => handled().subscribe(subscriber)));
}
